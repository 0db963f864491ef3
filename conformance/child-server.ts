import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ChildServerOptions {
  /** How it is named in errors. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Where its standard output and standard error go. */
  readonly logFile: string;
  readonly readyTimeoutMs: number;
  readonly stopTimeoutMs: number;
  /** Whether it serves by now. A rejection means no. */
  isReady(): Promise<boolean>;
}

/** A server in a process of its own. */
export class ChildServer {
  readonly #child: ChildProcess;
  readonly #options: ChildServerOptions;

  private constructor(child: ChildProcess, options: ChildServerOptions) {
    this.#child = child;
    this.#options = options;
  }

  /** Starts it and waits until it is ready. Rejects, with the end of its log, if it is not in time. */
  static async start(options: ChildServerOptions): Promise<ChildServer> {
    await mkdir(dirname(options.logFile), { recursive: true });
    const log = openSync(options.logFile, 'a');
    const child = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: options.env,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    let failure: Error | undefined;
    child.on('error', (error) => {
      failure = error;
    });
    const server = new ChildServer(child, options);
    try {
      await server.#waitUntilReady(() => failure);
    } catch (error) {
      child.kill('SIGKILL');
      throw new Error(`${error instanceof Error ? error.message : error}\n${await server.logTail()}`);
    }
    return server;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The last part of what it wrote. */
  async logTail(): Promise<string> {
    return (await readFile(this.#options.logFile, 'utf8').catch(() => '')).slice(-4_000);
  }

  /**
   * Ends it by SIGTERM and gives its exit code, null if the signal itself ended it. Rejects if it had ended before, or did not
   * end in time; then it is killed.
   */
  async stop(): Promise<number | null> {
    const { name, stopTimeoutMs } = this.#options;
    if (!this.isAlive) throw new Error(`${name} had ended by itself with ${this.#end()}`);
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const inTime = await Promise.race([ended.then(() => true), sleep(stopTimeoutMs, false, { ref: false })]);
    if (!inTime) {
      this.#child.kill('SIGKILL');
      await ended;
      throw new Error(`${name} did not end within ${stopTimeoutMs} ms of SIGTERM`);
    }
    return this.#child.exitCode;
  }

  #end(): string | number | null {
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  async #waitUntilReady(failure: () => Error | undefined): Promise<void> {
    const { name, readyTimeoutMs, isReady } = this.#options;
    const deadline = Date.now() + readyTimeoutMs;
    while (Date.now() < deadline) {
      const failed = failure();
      if (failed) throw new Error(`${name} could not be started: ${failed.message}`);
      if (!this.isAlive) throw new Error(`${name} ended with ${this.#end()} before it was ready`);
      if (await isReady().catch(() => false)) return;
      await sleep(50);
    }
    throw new Error(`${name} was not ready after ${readyTimeoutMs} ms`);
  }
}

/** Whether an HTTP server answers there, with any status if none is asked for. */
export async function answers(url: string, status?: number): Promise<boolean> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await answer.arrayBuffer();
  return status === undefined || answer.status === status;
}
