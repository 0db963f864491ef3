import { type Agent, type ClientRequest, type IncomingMessage, request as openRequest } from 'node:http';
import type { ByteRange } from '../common/byte-range.ts';
import { UfsError } from '../ufs/errors.ts';
import type { KeptVersion, VersionKeeper } from '../worker/long-read.ts';
import type { ReadTarget } from '../worker/reader.ts';
import type { HandOverPath } from './carried-request.ts';
import { HandOverAgent } from './hand-over-socket.ts';
import { encodeClaim, keepMark } from './kept-claim.ts';

/**
 * Has the store thread keep versions while this thread reads their pages, each by a request of its own on the way that requests are
 * handed over: the claim is its body's first line, and an answer says that the version is kept, until the request ends. A second line says from which
 * byte on the store thread is to read by itself, in the answer's body.
 */
export class StoreThreadKeeper implements VersionKeeper {
  private readonly path: HandOverPath;
  private readonly agent: Agent;

  constructor(path: HandOverPath, maxConnections: number) {
    this.path = path;
    this.agent = new HandOverAgent(path, maxConnections);
  }

  async keep(target: ReadTarget, range: ByteRange, signal?: AbortSignal): Promise<KeptVersion | undefined> {
    const claim = encodeClaim(target, range);
    if (claim === undefined || signal?.aborted) return undefined;
    const asked = openRequest({
      agent: this.agent,
      socketPath: this.path.socketPath,
      method: 'POST',
      path: '/',
      headers: [this.path.header, keepMark, 'transfer-encoding', 'chunked'],
    });
    const giveUp = () => asked.destroy();
    signal?.addEventListener('abort', giveUp, { once: true });
    try {
      const answer = await answerOf(asked, `${claim}\n`);
      if (answer.statusCode === 200) return new Kept(target, range, asked, answer);
      answer.resume();
      asked.end();
      return undefined;
    } catch {
      // Then the whole request goes to the store thread, which finds out by itself.
      return undefined;
    } finally {
      signal?.removeEventListener('abort', giveUp);
    }
  }

  close(): void {
    this.agent.destroy();
  }
}

function answerOf(asked: ClientRequest, line: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    asked.once('response', resolve);
    // Stays: what ends the connection later is seen by whoever reads the answer.
    asked.on('error', reject);
    asked.write(line);
  });
}

class Kept implements KeptVersion {
  private readonly target: ReadTarget;
  private readonly range: ByteRange;
  private readonly asked: ClientRequest;
  private readonly answer: IncomingMessage;
  private isReleased = false;
  private isReading = false;

  constructor(target: ReadTarget, range: ByteRange, asked: ClientRequest, answer: IncomingMessage) {
    this.target = target;
    this.range = range;
    this.asked = asked;
    this.answer = answer;
    // As long as nothing is read of it there is nothing to tell.
    answer.on('error', () => {});
  }

  async *rest(at: number): AsyncGenerator<Buffer> {
    this.isReading = true;
    this.asked.end(`${at}\n`);
    let left = this.range.end - at;
    try {
      for await (const bytes of this.answer as AsyncIterable<Buffer>) {
        left -= bytes.length;
        if (left >= 0) yield bytes;
      }
    } catch (cause) {
      throw this.cutOff(cause);
    }
    if (left !== 0) throw this.cutOff();
  }

  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    if (this.isReading) {
      // Ending the request alone would leave its connection to the bytes that nobody reads any more.
      if (!this.answer.complete) this.answer.destroy();
      return;
    }
    this.answer.resume();
    this.asked.end();
  }

  private cutOff(cause?: unknown): UfsError {
    const { backend, path } = this.target;
    return new UfsError('io', 'the thread that fills gave it up', { backend: backend.uri, key: path, cause });
  }
}
