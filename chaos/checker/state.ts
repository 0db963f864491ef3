import type { Sight } from './operation.ts';

/** What a key holds: nothing, a version that is known, or one that no read ever named. */
export interface KeyState {
  /** Tells states apart. */
  readonly name: string;
  readonly isPresent: boolean;
  readonly version?: string;
  /** Undefined: it may be any. */
  readonly etag?: string;
}

export const absent: KeyState = { name: 'absent', isPresent: false };

/** A version that nobody saw, with an ETag that nobody saw. */
export const unseen: KeyState = { name: 'unseen', isPresent: true, etag: '' };

export function versionState(version: string, etag: string | undefined): KeyState {
  return { name: `version ${version}`, isPresent: true, version, etag };
}

/** A version that nobody saw by its id; of its ETag it is known, or not, what it is. */
export function unnamedState(etag: string | undefined): KeyState {
  return { name: etag === undefined ? 'anything' : `etag ${etag}`, isPresent: true, etag };
}

/** Whether this could be seen of a key in this state. */
export function shows(state: KeyState, sight: Sight): boolean {
  switch (sight.kind) {
    case 'absent':
      return !state.isPresent;
    case 'present':
      return state.isPresent;
    case 'version':
      return state.version === sight.version;
    case 'etag':
      return state.isPresent && (state.etag === undefined || state.etag === sight.etag);
    case 'not-etag':
      return !state.isPresent || state.etag === undefined || state.etag !== sight.etag;
  }
}
