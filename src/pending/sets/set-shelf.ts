import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { FileSystemError } from '../../ufs/file-system.ts';
import type { Journal } from '../journal.ts';
import { HeldCopy } from './held-copy.ts';
import type { KeptSet } from './kept-set.ts';
import { KeptSets } from './kept-sets.ts';
import type { CopyName, SetFolder } from './set-folder.ts';

/** The journals of sets that lie on this node's disk: those that it holds a copy in, and those that it keeps. */
export class SetShelf {
  readonly kept: KeptSets;
  readonly #log: Log;
  readonly #folder: SetFolder;
  readonly #held = new Map<string, HeldCopy>();
  /** Kept sets that do not speak yet, since their copies may lack something. */
  readonly #taken = new Set<KeptSet>();
  readonly #ended = new Set<string>();
  #current: KeptSet | undefined;

  private constructor(clock: Clock, log: Log, folder: SetFolder) {
    this.kept = new KeptSets(clock);
    this.#log = log;
    this.#folder = folder;
  }

  /** With all that lies there. Rejects with `FileSystemError`. */
  static async open(clock: Clock, log: Log, folder: SetFolder): Promise<SetShelf> {
    const shelf = new SetShelf(clock, log, folder);
    for (const name of await folder.names()) {
      const copy = new HeldCopy(name.setId, name.copyId, await folder.open(name));
      if (copy.fault !== undefined) log.error({ ...name }, copy.fault);
      shelf.#held.set(name.copyId, copy);
    }
    for (const setId of await folder.ended()) shelf.#ended.add(setId);
    return shelf;
  }

  /** The set that this node writes to. */
  get current(): KeptSet | undefined {
    return this.#current;
  }

  get held(): readonly HeldCopy[] {
    return [...this.#held.values()];
  }

  /** All that this node keeps, those that do not speak too. */
  get all(): readonly KeptSet[] {
    return [...new Set([...this.kept, ...this.#taken])];
  }

  copy(copyId: string): HeldCopy | undefined {
    return this.#held.get(copyId);
  }

  /** Whether a copy lies here, whatever it is. */
  has(copyId: string): boolean {
    return this.#held.has(copyId) || this.all.some(({ name }) => name.copyId === copyId);
  }

  /** Whether any copy of the set lies here. */
  hasSet(setId: string): boolean {
    return [...this.held, ...this.all.map(({ name }) => name)].some((one) => one.setId === setId);
  }

  /** Whether the set is known to have ended, also if the coordination store does not know of that any more. */
  hasEnded(setId: string): boolean {
    return this.#ended.has(setId);
  }

  /** To be called before what lies here of the set is removed. */
  async noteEnded(setId: string): Promise<void> {
    if (this.#ended.has(setId)) return;
    this.#ended.add(setId);
    try {
      await this.#folder.noteEnded(setId);
    } catch (err) {
      // On a full disk what is over has to go all the same.
      if (!(err instanceof FileSystemError)) throw err;
      this.#log.warn({ err, set: setId }, 'that a set of pending writes has ended is not remembered');
    }
  }

  /** An empty journal. */
  make(name: CopyName): Promise<Journal> {
    return this.#folder.open(name);
  }

  async makeCopy(name: CopyName): Promise<void> {
    if (this.#held.has(name.copyId)) return;
    this.#held.set(name.copyId, new HeldCopy(name.setId, name.copyId, await this.make(name)));
  }

  /** A copy becomes a set of this node's own. */
  keep(set: KeptSet): void {
    this.#held.delete(set.name.copyId);
    this.#taken.add(set);
  }

  /** From now on it is told what is pending in it. */
  speak(set: KeptSet, isCurrent = false): void {
    this.#taken.delete(set);
    this.kept.add(set);
    if (isCurrent) this.#current = set;
  }

  /** Removes a copy from the disk, whatever it was. */
  async remove(name: CopyName): Promise<void> {
    const set = this.all.find((one) => one.name.copyId === name.copyId);
    if (set) {
      this.kept.delete(set);
      this.#taken.delete(set);
      if (this.#current === set) this.#current = undefined;
      await set.lose();
    }
    const held = this.#held.get(name.copyId);
    if (held) {
      await held.fence();
      this.#held.delete(name.copyId);
      await held.journal.close();
    }
    await this.#folder.remove(name);
    this.#log.debug({ ...name }, 'a copy of pending writes is removed');
  }

  async close(): Promise<void> {
    for (const set of this.all) {
      await set.stop();
      await set.journal.close();
    }
    for (const held of this.#held.values()) {
      await held.fence();
      await held.journal.close();
    }
  }
}
