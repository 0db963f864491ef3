import type { ObjectMeta } from '../common/object-meta.ts';
import type { ProbedAbilities, WriteCondition } from './backend.ts';
import { orAbsent, UfsError } from './errors.ts';
import { type GcsObject, metaOf } from './gcs-object.ts';
import type { GcsReader } from './gcs-read.ts';
import { parseRecord, recordEntry } from './gcs-record.ts';
import { KeyLock } from './key-lock.ts';
import type { Replaced, UnresolvedChanges } from './unresolved.ts';
import { checkCondition } from './write-rules.ts';

/** What a change replaces: a generation, nothing, or, where the storage does not decide it, whatever there is. */
export type Expected = { readonly generation: string } | 'absent' | 'anything';

export interface GcsChange {
  readonly key: string;
  /** What the storage must have been seen to decide. */
  readonly ability: 'conditionalPut' | 'conditionalComplete' | 'conditionalCopy' | 'conditionalDelete';
  readonly condition?: WriteCondition;
  readonly signal?: AbortSignal;
  /** That an object carries which this change has made; absent for a deletion. */
  readonly stamp?: string;
}

/** How a change ended whose answer was lost. */
type Outcome = { readonly made: GcsObject } | 'gone' | 'open' | 'overtaken';

/** Somebody else may change the key again and again. */
const attempts = 5;

/**
 * Runs changes so that none that got lost on its way undoes a later one (consistency rule 4): each names the generation that it
 * replaces, also where the client asked for no condition, and is sent once. An answer that was lost is resolved by the stamp that the
 * change leaves in the object (rule 5).
 */
export class GcsReplacer {
  readonly #uri: string;
  readonly #reader: GcsReader;
  readonly #unresolved: UnresolvedChanges;
  readonly #abilities: ProbedAbilities;
  /** Of several changes of a key at once here each would make the others begin again. */
  readonly #lock = new KeyLock();

  constructor(uri: string, reader: GcsReader, unresolved: UnresolvedChanges, abilities: ProbedAbilities) {
    this.#uri = uri;
    this.#reader = reader;
    this.#unresolved = unresolved;
    this.#abilities = abilities;
  }

  /**
   * Calls `send` with what is to be replaced, again where another change came first. Gives what it made; undefined for a deletion.
   * Kinds: precondition-failed and not-found of the condition; throttled, having changed nothing, if others are always first; else
   * those of `send`.
   */
  async replace(
    change: GcsChange,
    send: (expected: Expected, present: GcsObject | undefined) => Promise<GcsObject | undefined>,
  ): Promise<GcsObject | undefined> {
    const { key, signal } = change;
    await this.#unresolved.settled(key, signal);
    return this.#lock.run(key, async () => {
      for (let attempt = 1; ; attempt++) {
        const present = await this.#present(key, signal);
        const meta: ObjectMeta | undefined = present && metaOf(present, this.#uri, key);
        checkCondition(change.condition, meta, this.#uri, key);
        const expected = this.#expected(change, present);
        try {
          return await send(expected, present);
        } catch (error) {
          if (!(error instanceof UfsError)) throw error;
          if (error.unresolved) return await this.#resolved(change, expected, error);
          if (!isOvertaken(error, expected)) throw error;
          if (attempt === attempts) throw this.#alwaysLate(key, error);
        }
      }
    });
  }

  #expected({ ability }: GcsChange, present: GcsObject | undefined): Expected {
    if (!this.#abilities[ability]) return 'anything';
    return present ? { generation: present.generation } : 'absent';
  }

  #present(key: string, signal: AbortSignal | undefined): Promise<GcsObject | undefined> {
    return orAbsent(this.#reader.object(key, signal));
  }

  /** What a change made whose answer was lost; rejects with its error where that is not known. */
  async #resolved(change: GcsChange, expected: Expected, error: UfsError): Promise<GcsObject | undefined> {
    const { key, stamp, condition } = change;
    const outcome = await this.#outcome(key, stamp, expected);
    if (typeof outcome === 'object' && error.kind !== 'cancelled') return outcome.made;
    // Whoever deleted it: it is gone, as was wanted. With a condition it matters who.
    if (outcome === 'gone' && stamp === undefined && !condition && error.kind !== 'cancelled')
      return undefined;
    if (outcome === 'open') this.#unresolved.add(key, replacedBy(expected));
    throw error;
  }

  async #outcome(key: string, stamp: string | undefined, expected: Expected): Promise<Outcome> {
    let present: GcsObject | undefined;
    try {
      present = await this.#reader.objectOnce(key);
    } catch (error) {
      // What became of the change stays unknown, and its own error stands.
      if (error instanceof UfsError) return 'open';
      throw error;
    }
    if (present && stamp !== undefined && stampOf(present) === stamp) return { made: present };
    if (expected === 'anything') return 'open';
    const stands = expected === 'absent' ? !present : present?.generation === expected.generation;
    if (stands) return 'open';
    return present ? 'overtaken' : 'gone';
  }

  #alwaysLate(key: string, cause: UfsError): UfsError {
    const message = 'the key was changed by others at the same time';
    return new UfsError('throttled', message, { backend: this.#uri, key, cause });
  }
}

/** The precondition of the JSON API ("Request preconditions"): generation 0 stands for no object. */
export function generationMatch(expected: Expected): string | undefined {
  if (expected === 'anything') return undefined;
  return expected === 'absent' ? '0' : expected.generation;
}

export function stampOf({ metadata }: GcsObject): string | undefined {
  return parseRecord(metadata?.[recordEntry])?.stamp;
}

/** Whether another change came first: what was to be replaced is not there any more. */
function isOvertaken({ kind }: UfsError, expected: Expected): boolean {
  return expected !== 'anything' && (kind === 'precondition-failed' || kind === 'conflict');
}

function replacedBy(expected: Expected): Replaced {
  return typeof expected === 'string' ? expected : { etag: expected.generation };
}
