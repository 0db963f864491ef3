import { dirname, join } from 'node:path';
import { type FileSystem, isErrno } from './file-system.ts';

interface DirectoryState {
  /** How many hold it now. */
  users: number;
  /** Settles when the directory is there and its entry in its parent survives a power loss. */
  readonly ready: Promise<void>;
  failed: boolean;
  /** Under way while nobody holds it. */
  removing?: Promise<void>;
}

/** Directories that somebody needs, in order from the root down. */
export type HeldDirectories = readonly { readonly path: string; readonly state: DirectoryState }[];

/** How many directories are remembered to be durable. */
const rememberedCount = 10_000;

/**
 * Makes the directories that writers need and removes those that became empty, in a tree that only this process changes. Whoever
 * holds a directory finds it there, durably, until he releases it: no writer meets a concurrent remover.
 */
export class DirectoryKeeper {
  private readonly fs: FileSystem;
  private readonly root: string;
  private readonly onChange: (parent: string) => void;
  private readonly checkFound: (path: string) => Promise<void>;
  private readonly states = new Map<string, DirectoryState>();

  /**
   * `onChange` is called after an entry was made or removed in `parent`; `checkFound` of what was there already, before anything is
   * made inside: it may refuse.
   */
  constructor(
    fs: FileSystem,
    root: string,
    onChange: (parent: string) => void = () => {},
    checkFound: (path: string) => Promise<void> = async () => {},
  ) {
    this.fs = fs;
    this.root = root;
    this.onChange = onChange;
    this.checkFound = checkFound;
  }

  /** Each of `names` below the one before. To be released exactly once. */
  async hold(names: readonly string[]): Promise<HeldDirectories> {
    const held: { path: string; state: DirectoryState }[] = [];
    let path = this.root;
    try {
      for (const name of names) {
        path = join(path, name);
        const state = await this.stateOf(path);
        state.users++;
        held.push({ path, state });
        await state.ready;
      }
      return held;
    } catch (error) {
      // Somebody else removed a directory that is remembered to be there.
      if (isErrno(error, 'ENOENT')) this.forget(held);
      await this.release(held, true);
      throw error;
    }
  }

  /** Removes the directories too, from the deepest upwards, as far as they are empty, if `maybeEmpty`. */
  async release(held: HeldDirectories, maybeEmpty: boolean): Promise<void> {
    let remove = maybeEmpty;
    for (const { path, state } of [...held].reverse()) {
      state.users--;
      if (state.users > 0) {
        remove = false;
      } else if (state.failed) {
        this.drop(path, state);
      } else if (remove && this.states.get(path) === state) {
        remove = await this.remove(path, state);
      }
    }
  }

  /** Has the directories made anew for the next who needs them, since somebody else took one away. */
  forget(held: HeldDirectories): void {
    for (const { path, state } of held) this.drop(path, state);
  }

  private drop(path: string, state: DirectoryState): void {
    if (this.states.get(path) === state) this.states.delete(path);
  }

  private async stateOf(path: string): Promise<DirectoryState> {
    for (;;) {
      const known = this.states.get(path);
      if (!known) break;
      if (known.removing) {
        await known.removing;
        continue;
      }
      // The most recently used are the last.
      this.states.delete(path);
      this.states.set(path, known);
      return known;
    }
    const state: DirectoryState = { users: 0, ready: this.make(path), failed: false };
    state.ready.catch(() => {
      state.failed = true;
    });
    this.states.set(path, state);
    this.forgetSome();
    return state;
  }

  private async make(path: string): Promise<void> {
    const parent = dirname(path);
    try {
      await this.fs.makeDirectory(path);
      this.onChange(parent);
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      await this.checkFound(path);
    }
    // Also where it was there already: a process that was killed may have made it without coming this far.
    await this.fs.syncDirectory(parent);
  }

  private async remove(path: string, state: DirectoryState): Promise<boolean> {
    let removed = false;
    const work = this.fs.removeDirectory(path).then(
      () => {
        removed = true;
        this.onChange(dirname(path));
        this.drop(path, state);
      },
      // Not empty, as a rule. A directory that stays behind empty is no fault: no list shows it.
      () => {
        state.removing = undefined;
      },
    );
    state.removing = work;
    await work;
    return removed;
  }

  private forgetSome(): void {
    if (this.states.size <= rememberedCount) return;
    for (const [path, state] of this.states) {
      if (state.users > 0 || state.removing) continue;
      this.states.delete(path);
      if (this.states.size <= rememberedCount) return;
    }
  }
}
