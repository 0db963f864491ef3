import { writeSync } from 'node:fs';
import { run } from './run.ts';

// A reader that went away (`forebay user list | head -1`) is no failure of the command.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const exitCode = await run(process.argv.slice(2), {
  environment: process.env,
  print: (text) => {
    process.stdout.write(`${text}\n`);
  },
  printError: (text) => {
    writeSync(2, `${text}\n`);
  },
});

// What is still open, such as a connection to a peer that stands still, is not waited for: no timer would end that any more.
process.exit(exitCode);
