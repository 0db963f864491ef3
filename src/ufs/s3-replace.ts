import type { ProbedAbilities, WriteCondition } from './backend.ts';
import { UfsError } from './errors.ts';
import { KeyLock } from './key-lock.ts';
import type { S3Reader } from './s3-read.ts';
import type { Replaced, UnresolvedChanges } from './unresolved.ts';

export interface Replacement {
  readonly key: string;
  /** What the backend must be able to do to decide about it. */
  readonly ability: Exclude<
    keyof ProbedAbilities,
    'checksumTrailers' | 'signedChunks' | 'metadataOnGet' | 'tagging' | 'versions'
  >;
  /** What the client asks for. */
  readonly condition?: WriteCondition;
  readonly signal?: AbortSignal;
  /** False if it can be sent once only, since its body does not come again. */
  readonly repeatable: boolean;
  /** Where there is nothing to replace it is sent without a condition, rather than with the one that there be nothing. */
  readonly unconditionalIfAbsent?: boolean;
}

/** Somebody else may change the key again and again. */
const attempts = 5;
/**
 * Runs changes so that none that got lost on its way undoes a later one (consistency rule 4). Where the backend compares and
 * sets, each carries the version that it replaces, also where the client asked for no condition; once that version is gone a
 * late one fails. Elsewhere a change without an answer holds up the next ones of its key for a while.
 */
export class S3Replacer {
  readonly #uri: string;
  readonly #reader: S3Reader;
  readonly #unresolved: UnresolvedChanges;
  readonly #abilities: ProbedAbilities;
  /** Of several changes of a key at once here each would make the others begin again. */
  readonly #lock = new KeyLock();

  constructor(uri: string, reader: S3Reader, unresolved: UnresolvedChanges, abilities: ProbedAbilities) {
    this.#uri = uri;
    this.#reader = reader;
    this.#unresolved = unresolved;
    this.#abilities = abilities;
  }

  /**
   * Calls `send` with the condition to send, again where another change came first. Rejects with what `send` rejects with, or
   * with kind `throttled`, having changed nothing, if others are always first.
   */
  async replace<Result>(
    change: Replacement,
    send: (condition: WriteCondition | undefined) => Promise<Result>,
  ): Promise<Result> {
    const { key, ability, condition, signal, repeatable } = change;
    await this.#unresolved.settled(key, signal);
    if (condition && !isAnyVersion(condition)) return this.#noting(key, condition, send);
    if (!this.#abilities[ability]) return this.#noting(key, condition, send);
    const work = () => this.#compareAndSet(change, send);
    // A body that comes as slowly as its client likes must not hold up the others.
    return repeatable ? this.#lock.run(key, work) : work();
  }

  async #compareAndSet<Result>(
    { key, condition, signal, repeatable, unconditionalIfAbsent }: Replacement,
    send: (condition: WriteCondition | undefined) => Promise<Result>,
  ): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      const present = await this.#present(key, signal);
      if (present === 'absent' && condition) {
        throw new UfsError('not-found', 'there is no object to match', { backend: this.#uri, key });
      }
      if (present === 'absent' && unconditionalIfAbsent) return this.#noting(key, undefined, send);
      try {
        return await this.#noting(key, conditionOf(present) ?? condition, send);
      } catch (error) {
        if (!(error instanceof UfsError) || !isOvertaken(error, present)) throw error;
        if (!repeatable || attempt === attempts) throw this.#alwaysLate(key, error);
      }
    }
  }

  /** What is there now, in words that a condition can be made of. */
  async #present(key: string, signal: AbortSignal | undefined): Promise<Replaced> {
    try {
      const { etag } = await this.#reader.head(key, { signal });
      // A weak ETag matches nothing (RFC 9110, 13.1.1).
      return etag.startsWith('W/') ? 'anything' : { etag };
    } catch (error) {
      if (!(error instanceof UfsError)) throw error;
      if (error.kind === 'not-found') return 'absent';
      // Whoever may write and not read knows no version.
      if (error.kind === 'denied') return 'anything';
      throw error;
    }
  }

  async #noting<Result>(
    key: string,
    condition: WriteCondition | undefined,
    send: (condition: WriteCondition | undefined) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await send(condition);
    } catch (error) {
      if (error instanceof UfsError && error.unresolved) this.#unresolved.add(key, replacedBy(condition));
      throw error;
    }
  }

  #alwaysLate(key: string, cause: UfsError): UfsError {
    const message = 'the key was changed by others at the same time';
    return new UfsError('throttled', message, { backend: this.#uri, key, cause });
  }
}

/** Whether another change came first: what was to be replaced is not there any more. */
function isOvertaken({ kind }: UfsError, expected: Replaced): boolean {
  if (expected === 'anything') return false;
  return (
    kind === 'precondition-failed' || kind === 'conflict' || (kind === 'not-found' && expected !== 'absent')
  );
}

function isAnyVersion(condition: WriteCondition): boolean {
  return 'ifMatch' in condition && condition.ifMatch === '*';
}

function conditionOf(present: Replaced): WriteCondition | undefined {
  if (present === 'anything') return undefined;
  return present === 'absent' ? { ifNoneMatch: '*' } : { ifMatch: present.etag };
}

function replacedBy(condition: WriteCondition | undefined): Replaced {
  if (!condition || isAnyVersion(condition)) return 'anything';
  return 'ifMatch' in condition ? { etag: condition.ifMatch } : 'absent';
}
