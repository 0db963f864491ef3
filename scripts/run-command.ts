import { spawn } from 'node:child_process';

export interface CommandResult {
  /** Undefined if a signal ended the command, or it could not be started. */
  readonly code: number | undefined;
  /** Standard output and standard error, as they came. */
  readonly output: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** The command is ended after this time. */
  readonly timeoutMs?: number;
}

/** Output beyond this is dropped from the front. */
const maxOutputCharacters = 4_000_000;

/** Runs a program to its end, without standard input. Never rejects. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
    });
    let output = '';
    const collect = (text: string): void => {
      output += text;
      if (output.length > maxOutputCharacters) output = output.slice(-maxOutputCharacters / 2);
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    child.on('error', (error) => resolve({ code: undefined, output: `${output}${error.message}\n` }));
    child.on('close', (code, signal) => {
      if (signal !== null) collect(`\n${command} was ended by ${signal}\n`);
      resolve({ code: code ?? undefined, output });
    });
  });
}
