import type { ByteRange } from '../common/byte-range.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { CallOptions } from './backend.ts';
import { UfsError } from './errors.ts';
import { type HdfsClient, isAbsent } from './hdfs-client.ts';
import { isUnreached } from './hdfs-errors.ts';
import { HdfsGet } from './hdfs-get.ts';
import { generationOf, inodePath, parseGeneration } from './hdfs-record.ts';
import type { Permit } from './limit.ts';
import { checkSignal } from './write-rules.ts';

/** An answer that brought so much before it broke off is no failure to be counted with those before it. */
const progressBytes = 1_048_576;

interface Version {
  readonly key: string;
  readonly generation: string;
  /** Where its bytes are read: the inode, or the path where there are no inodes to ask for. */
  readonly path: string;
}

/**
 * Bytes of versions. A version is read through its inode, which a file that replaces it does not have; and what came is held back until
 * the inode was seen to have the same length and time behind it, since a file can be cut and appended to (consistency rule 6).
 */
export class HdfsReader {
  readonly #client: HdfsClient;
  readonly #uri: string;

  constructor(client: HdfsClient) {
    this.#client = client;
    this.#uri = client.connection.uri;
  }

  /** `path`: where the file was found, for storage that tells of no inodes. */
  async *read(
    key: string,
    path: string | undefined,
    meta: Pick<ObjectMeta, 'generation'>,
    range: ByteRange,
    { signal }: CallOptions = {},
  ): AsyncGenerator<Buffer, void, undefined> {
    const parsed = parseGeneration(meta.generation);
    if (!parsed || path === undefined) throw this.#moved(key, 'the version cannot be asked for');
    const { reads } = this.#client.connection;
    const permit = await reads.acquire(signal);
    try {
      const byInode = parsed.fileId > 0;
      const version = { key, generation: meta.generation, path: byInode ? inodePath(parsed.fileId) : path };
      // A path may have come to stand for another file since it was looked at; an inode stays what it is.
      if (!byInode) await this.#confirm(version, signal);
      yield* this.#download(version, range, signal, permit);
    } finally {
      permit.release();
    }
  }

  /** One answer after the other where they break off, from DataNodes that did not break one off yet. */
  async *#download(
    version: Version,
    range: ByteRange,
    signal: AbortSignal | undefined,
    permit: Permit,
  ): AsyncGenerator<Buffer, void, undefined> {
    let backoff = this.#client.connection.backoff();
    let excluded: string[] = [];
    let at = range.start;
    let lastFailureAt = at;
    while (at < range.end) {
      const call = { operation: 'OPEN', key: version.key, signal };
      const get = new HdfsGet(this.#client, call, { start: at, end: range.end });
      try {
        await get.ask(version.path, excluded);
        for await (const pieces of this.#confirmed(version, get, signal)) {
          for (const piece of pieces) {
            at += piece.length;
            permit.pause();
            yield piece;
            permit.resume();
            checkSignal(signal, this.#uri, version.key);
          }
        }
      } catch (error) {
        if (at - lastFailureAt >= progressBytes) backoff = this.#client.connection.backoff();
        lastFailureAt = at;
        excluded = othersThan(error, get.host, excluded);
        if (error instanceof UfsError && error.kind === 'throttled') permit.throttled();
        const told = await this.#whyNot(version, error, signal);
        if (at >= range.end) throw told;
        await backoff.pause(told, signal);
      } finally {
        get.close();
      }
    }
  }

  /** Pieces that were seen to be of the version, some at once. */
  async *#confirmed(
    version: Version,
    get: HdfsGet,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Buffer[], void, undefined> {
    const { confirmBytes } = this.#client.connection.tuning;
    let held: Buffer[] = [];
    let heldBytes = 0;
    const release = async () => {
      await this.#confirm(version, signal);
      const pieces = held;
      held = [];
      heldBytes = 0;
      return pieces;
    };
    let broken: { readonly error: unknown } | undefined;
    try {
      for await (const piece of get.pieces()) {
        held.push(piece);
        heldBytes += piece.length;
        if (heldBytes >= confirmBytes) yield await release();
      }
    } catch (error) {
      broken = { error };
    }
    // What came before an answer broke off is as good as any, so that the next one goes on behind it.
    if (heldBytes > 0 && !isGivenUp(broken?.error)) yield await release();
    if (broken) throw broken.error;
  }

  /** Kinds: moved. */
  async #confirm({ key, path, generation }: Version, signal: AbortSignal | undefined): Promise<void> {
    const status = await this.#client.find(path, { key, signal });
    if (!status) throw this.#moved(key, 'the file is not there any more');
    if (status.type !== 'FILE' || generationOf(status) !== generation) {
      throw this.#moved(key, 'the file has changed');
    }
  }

  /** The version was there once: what cannot be had of it any more has moved. What a file that was cut answers says less than that. */
  async #whyNot(version: Version, error: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    if (!(error instanceof UfsError)) return error;
    if (isAbsent(error)) return this.#moved(version.key, error.message, error.cause);
    if (error.kind !== 'refused' && error.kind !== 'io') return error;
    try {
      await this.#confirm(version, signal);
      return error;
    } catch (reason) {
      return reason instanceof UfsError && reason.kind === 'moved' ? reason : error;
    }
  }

  #moved(key: string, message: string, cause?: unknown): UfsError {
    return new UfsError('moved', message, { backend: this.#uri, key, cause });
  }
}

/** DataNodes that are not to be asked again: the one that failed, beside others that did, unless none would be left then. */
function othersThan(error: unknown, host: string | undefined, excluded: readonly string[]): string[] {
  if (host === undefined || !(error instanceof UfsError)) return [];
  const failed = isUnreached(error) || error.kind === 'io' || error.kind === 'unavailable';
  // With all of them excluded the NameNode names none at all; the next attempt may choose freely.
  return failed && excluded.length === 0 ? [host] : [];
}

function isGivenUp(error: unknown): boolean {
  return error instanceof UfsError && (error.kind === 'cancelled' || error.kind === 'moved');
}
