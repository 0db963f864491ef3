import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import type { Writable } from 'node:stream';
import { stop } from '../lib/servers.ts';

/** How an object came. */
export interface Read {
  readonly bytes: number;
  readonly firstByteMs: number;
  readonly totalMs: number;
}

/** A client in a process of its own that answers each line with a line of JSON. One asks at a time. */
export class LineClient {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #input: Interface;

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#input = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    this.#lines = this.#input[Symbol.asyncIterator]();
  }

  /** Rejects if the process ends instead of answering. */
  async ask(line: string): Promise<Read> {
    (this.#child.stdin as Writable).write(`${line}\n`);
    const answer = await this.#lines.next();
    if (answer.done) throw new Error(`a client ended instead of answering: ${line}`);
    return JSON.parse(answer.value) as Read;
  }

  async stop(): Promise<void> {
    await stop(this.#child);
    this.#input.close();
  }
}
