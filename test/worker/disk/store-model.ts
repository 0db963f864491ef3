import type { PageKey } from '../../../src/worker/page-store.ts';

interface KeyState {
  readonly key: PageKey;
  /** Writes that were begun and may still come to be. */
  writing: number;
  /** `removed`: acknowledged, and nothing was written since; `maybe`: anything may be. */
  state: 'removed' | 'maybe';
  /** A removal that was acknowledged by a store that could not write: it holds until the process ends. */
  untilCrash: boolean;
}

/** Pages whose bytes follow from their keys, of many lengths. */
export function pageOf(key: PageKey): Buffer {
  const name = nameOf(key);
  let seed = 7;
  for (let i = 0; i < name.length; i++) seed = (seed * 31 + name.charCodeAt(i)) >>> 0;
  const bytes = Buffer.alloc(1 + (seed % (seed % 11 === 0 ? 9000 : 2500)));
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 31 + seed + (i >> 8)) & 0xff;
  return bytes;
}

/** Which pages may be there, and which may not. */
export class PageModel {
  private readonly states = new Map<string, KeyState>();
  /** True once files were harmed otherwise than by a loss of power. */
  isHarmed = false;
  /** Paths of logs of removals in which a bit was flipped. */
  readonly harmedLogs = new Set<string>();
  /** Paths of indexes that were, or will be, made from a region's headers. */
  readonly recovered = new Set<string>();

  *keys(): Generator<PageKey> {
    for (const { key } of [...this.states.values()]) yield key;
  }

  /** A write begins; the result is to be called when it was acknowledged. */
  writing(key: PageKey): () => void {
    const state = this.stateOf(key);
    state.state = 'maybe';
    state.writing++;
    return () => {
      state.writing--;
    };
  }

  /** A removal begins; the result is to be called when it was acknowledged. */
  removing(concerns: (key: PageKey) => boolean): (durable: boolean) => void {
    // What is being written at the same time may come before or after it.
    const states = [...this.states.values()].filter(({ key }) => concerns(key));
    const before = states.filter(({ writing }) => writing === 0);
    const marks = before.map((state) => ({ state, begun: this.begun.get(state) ?? 0 }));
    return (durable) => {
      for (const { state, begun } of marks) {
        if (state.writing > 0 || (this.begun.get(state) ?? 0) !== begun) continue;
        if (state.state === 'removed' && !state.untilCrash) continue;
        state.state = 'removed';
        state.untilCrash = !durable;
      }
    };
  }

  isAbsent(key: PageKey): boolean {
    return this.states.get(nameOf(key))?.state === 'removed';
  }

  /** The process is gone: what was under way may have come to be or not. */
  crashed(): void {
    for (const state of this.states.values()) {
      state.writing = 0;
      if (state.untilCrash) state.state = 'maybe';
      state.untilCrash = false;
    }
  }

  /** How often a write of the key was begun. */
  private readonly begun = new Map<KeyState, number>();

  private stateOf(key: PageKey): KeyState {
    const name = nameOf(key);
    let state = this.states.get(name);
    if (!state) {
      state = { key, writing: 0, state: 'maybe', untilCrash: false };
      this.states.set(name, state);
    }
    this.begun.set(state, (this.begun.get(state) ?? 0) + 1);
    return state;
  }
}

function nameOf({ incarnation, path, generation, pageIndex }: PageKey): string {
  return `${incarnation} ${path} ${generation} ${pageIndex}`;
}
