import { writeSync } from 'node:fs';
import { run } from './run.ts';

// A reader that went away (`forebay user list | head -1`) is no failure of the command.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const exitCode = await run(process.argv.slice(2), {
  environment: process.env,
  isTerminal: process.stdout.isTTY,
  print: (text) => {
    process.stdout.write(`${text}\n`);
  },
  bar: process.stdout.isTTY
    ? (line) => {
        // Back to the beginning of the line, and nothing of what stood there stays.
        process.stdout.write(`\r\x1b[K${line.slice(0, process.stdout.columns - 1)}`);
      }
    : undefined,
  printError: (text) => {
    writeSync(2, `${text}\n`);
  },
});

// What is still open, such as a connection to a peer that stands still, is not waited for: no timer would end that any more.
process.exit(exitCode);
