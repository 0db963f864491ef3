import type { WriteCondition } from './backend.ts';
import { UfsError } from './errors.ts';
import { type HdfsClient, isAbsent } from './hdfs-client.ts';
import { fencedCode, type HdfsStaging } from './hdfs-staging.ts';

/** A file that is to become visible. */
export interface Placing {
  readonly key: string;
  readonly from: string;
  readonly fileId: number;
  readonly to: string;
  readonly condition: WriteCondition | undefined;
  readonly signal: AbortSignal | undefined;
  /** Takes the file away from where it is, so that a rename of it comes too late; whether it was there. */
  readonly withdraw: () => Promise<boolean>;
}

const attemptCount = 6;
/** Changes whose outcome is not known and that may still come; beyond so many no other is begun. */
const maxPending = 10_000;

/**
 * Makes files visible and takes them away: each by one rename out of this process's folder, or into it. A rename whose answer was lost
 * is resolved: what it would move is taken away from where it lies, and then it either has happened or never will (consistency rules 4, 7).
 */
export class HdfsCommits {
  readonly #client: HdfsClient;
  readonly #staging: HdfsStaging;
  readonly #uri: string;
  /** What is still to be done before a key may change again, of changes that could not be resolved yet. */
  readonly #pending = new Map<string, (() => Promise<unknown>)[]>();

  constructor(client: HdfsClient, staging: HdfsStaging) {
    this.#client = client;
    this.#staging = staging;
    this.#uri = client.connection.uri;
  }

  /** Whether a change that was lost may still come. */
  mayStillChange(key: string): boolean {
    return this.#pending.has(key);
  }

  /** Resolves earlier changes of a key that were lost. Kinds: throttled, unavailable. */
  async settle(key: string): Promise<void> {
    if (this.#pending.size >= maxPending && !this.#pending.has(key)) {
      const message = `${maxPending} changes got no answer and may still take effect`;
      throw new UfsError('throttled', message, { backend: this.#uri, key });
    }
    const left = this.#pending.get(key);
    for (let work = left?.at(-1); left && work; work = left.at(-1)) {
      await work();
      left.pop();
    }
    this.#pending.delete(key);
  }

  /**
   * Makes a file visible in the place of what is there, or, with `ifNoneMatch`, where nothing is. Kinds: precondition-failed, key-conflict,
   * conflict; `unresolved` only where nobody could find out what became of it.
   */
  async place(placing: Placing): Promise<void> {
    const { key, from, to, condition, signal } = placing;
    const creates = condition !== undefined && 'ifNoneMatch' in condition;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#client.rename(from, to, creates ? 'NONE' : 'OVERWRITE', { key, signal });
        return;
      } catch (error) {
        if (!(error instanceof UfsError)) throw error;
        if (error.unresolved) return this.#resolve(placing, error);
        if (attempt > 1 || error.kind === 'key-conflict') await this.#checkSource(placing, error);
        if (!isAbsent(error) || error.kind === 'key-conflict' || attempt === attemptCount) {
          throw await this.#meaning(placing, error, creates);
        }
        // The directory is not there yet, or was just removed since it was empty.
        await this.#client.makeDirectory(parentOf(to), { key, signal }).catch((fault) => {
          throw conflictOf(fault, this.#uri, key);
        });
      }
    }
  }

  /** Rejects where nothing lies any more where the file was to be taken from. Kinds: unavailable. */
  async #checkSource({ key, from, signal }: Placing, error: UfsError): Promise<void> {
    if (await this.#client.find(from, { key, signal })) return;
    const isFenced = await this.#staging.isTakenAway(from, { key, signal });
    throw isFenced ? this.#staging.fenced(key, error) : missing(error, this.#uri, key);
  }

  /** Takes a file away; false if there was none. `beforeTaking` runs before each attempt, and may reject. `unresolved` as above. */
  async take(
    key: string,
    path: string,
    beforeTaking: (() => Promise<void>) | undefined,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      const to = await this.#staging.room({ key, signal });
      await beforeTaking?.();
      try {
        await this.#client.rename(path, to, 'NONE', { key, signal });
        return await this.#discard(key, path, to);
      } catch (error) {
        if (!(error instanceof UfsError)) throw error;
        if (error.unresolved) return this.#resolveTaking(key, path, to, error);
        if (!isAbsent(error) || attempt === attemptCount) throw error;
        if (!(await this.#client.find(path, { key, signal }))) return false;
        await this.#staging.isTakenAway(to, { key, signal });
      }
    }
  }

  /** What was taken away may be a directory, if somebody put one there meanwhile: it goes back. */
  async #discard(key: string, path: string, to: string): Promise<boolean> {
    try {
      await this.#client.remove(to, { key });
      return true;
    } catch (error) {
      if (error instanceof UfsError && error.code === 'PathIsNotEmptyDirectoryException') {
        await this.#client.rename(to, path, 'NONE', { key });
        return false;
      }
      // It is not there for anybody any more, which is what was asked for.
      return true;
    }
  }

  async #resolve({ key, from, to, fileId, withdraw }: Placing, lost: UfsError): Promise<void> {
    try {
      const present = await this.#client.find(to, { key });
      if (present && fileId > 0 && present.fileId === fileId) return;
      if (!(await withdraw())) {
        // Unless it was fenced off meanwhile, what is not there any more became visible, and something else has taken its place since.
        if (await this.#staging.isTakenAway(from, { key })) throw this.#staging.fenced(key, lost);
        if (present?.type !== 'DIRECTORY') return;
        // A rename without options moves a file into a directory that lies there.
        await this.#client.remove(to + from.slice(from.lastIndexOf('/')), { key });
        throw conflictOf(
          new UfsError('conflict', 'a directory lies there', { backend: this.#uri }),
          this.#uri,
          key,
        );
      }
    } catch (error) {
      if (error instanceof UfsError && error.kind === 'key-conflict') throw error;
      // It lies in a folder that nothing is renamed out of any more, unless it was renamed before.
      if (!isFenced(error)) this.#remember(key, withdraw);
      throw lost;
    }
    throw withoutEffect(lost);
  }

  async #resolveTaking(key: string, path: string, to: string, lost: UfsError): Promise<boolean> {
    const name = to.slice(to.lastIndexOf('/'));
    try {
      if (await this.#client.find(to, { key })) return await this.#discard(key, path, to);
      const gone = await this.#staging.fence();
      const taken = await this.#client.find(gone + name, { key });
      const done = taken !== undefined && (await this.#discard(key, path, gone + name));
      this.#staging.removeLater(gone, true);
      if (taken) return done;
    } catch {
      this.#remember(key, () => this.#staging.fence());
      throw lost;
    }
    throw withoutEffect(lost);
  }

  #remember(key: string, work: () => Promise<unknown>): void {
    this.#pending.set(key, [...(this.#pending.get(key) ?? []), work]);
  }

  /** Why a rename was refused, as far as what lies there tells. */
  async #meaning({ key, to, signal }: Placing, error: UfsError, creates: boolean): Promise<UfsError> {
    if (error.kind === 'key-conflict') return conflictOf(error, this.#uri, key);
    const inTheWay = ['refused', 'conflict', 'not-implemented'].includes(error.kind);
    if (!inTheWay) return isAbsent(error) ? missing(error, this.#uri, key) : error;
    const present = await this.#client.find(to, { key, signal });
    const details = { backend: this.#uri, key, cause: error };
    if (present?.type === 'DIRECTORY') {
      return new UfsError('key-conflict', 'a file and a folder cannot have one name', details);
    }
    if (present && creates) return new UfsError('precondition-failed', 'the object exists', details);
    return error;
  }
}

/** Whether a change had no effect since another node has fenced it off. */
export function isFenced(error: unknown): boolean {
  return error instanceof UfsError && error.code === fencedCode;
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

/** A file where a directory is needed. */
function conflictOf(error: unknown, backend: string, key: string): UfsError {
  if (!(error instanceof UfsError) || (error.kind !== 'conflict' && error.kind !== 'key-conflict')) {
    return error as UfsError;
  }
  const message = 'a file and a folder cannot have one name';
  return new UfsError('key-conflict', message, { backend, key, cause: error });
}

function missing(error: UfsError, backend: string, key: string): UfsError {
  const message =
    'what was written is not there any more: somebody removed it, or its folder, again and again';
  return new UfsError('unavailable', message, { backend, key, retryable: true, cause: error });
}

/** A change of which it is known now that it did not happen, and never will. */
function withoutEffect({ kind, message, backend, key, code, cause }: UfsError): UfsError {
  const told = kind === 'cancelled' ? kind : 'unavailable';
  return new UfsError(told, message, { backend, key, code, cause });
}
