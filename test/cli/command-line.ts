import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

export interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const main = resolve(import.meta.dirname, '../../src/cli/main.ts');

/** Starts the real command; nothing of this process's own environment but PATH is handed on. */
export function startCli(words: readonly string[], environment: Record<string, string> = {}, cwd?: string) {
  return spawn('node', ['--no-warnings', main, ...words], {
    cwd,
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs the real command to its end. */
export function runCli(
  words: readonly string[],
  environment: Record<string, string> = {},
  cwd?: string,
): Promise<Outcome> {
  return new Promise((resolveOutcome, reject) => {
    const child = startCli(words, environment, cwd);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (exitCode) => resolveOutcome({ exitCode, stdout, stderr }));
  });
}
