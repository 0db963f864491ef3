import { type Counts, noCounts } from './counts.ts';

export const jobKinds = ['load', 'verify', 'free', 'scrub', 'sync'] as const;
/**
 * `load`: pages are here. `verify`: they are whole, and of the version that the storage has now; what is not is loaded again. `free`: none is.
 * `scrub`: what a disk gives back damaged is dropped. `sync`: what is known of objects is what the storage has now.
 */
export type JobKind = (typeof jobKinds)[number];

/** `collecting` (the keys it is to be about come in), `running` and `paused` may become another; the rest is for good. */
export type JobState = 'collecting' | 'running' | 'paused' | 'succeeded' | 'failed' | 'stopped';

export const priorities = ['low', 'normal', 'high'] as const;
/** Of two jobs nodes take on the parts of the one with the higher priority first. */
export type Priority = (typeof priorities)[number];

/** A part of each object, half-open: from `start` on, to before `end` if there is one; a negative `start` counts from the end. */
export interface Part {
  readonly start: number;
  readonly end?: number;
}

/** What somebody wants done. */
export interface JobSpec {
  readonly kind: JobKind;
  readonly bucket: string;
  /** What the keys begin with; '' for all. */
  readonly prefix: string;
  /** What they look like from beginning to end: `*` stands for any characters, `?` for one. Absent: all that begin so. */
  readonly pattern?: string;
  /** Whether they are given one by one. */
  readonly hasManifest?: boolean;
  /** What is loaded of each; absent: all. */
  readonly parts?: readonly Part[];
  /** Whether a job that verifies comes after it. */
  readonly verifies?: boolean;
  readonly priority: Priority;
  /** Nothing is changed: what would be done is counted. */
  readonly isPlan: boolean;
  /** For each node, bytes a second; absent: no bound. */
  readonly bytesPerSecond?: number;
}

/** How far the storage was listed, and what it had. */
export interface Listed {
  /** The last key that lies in a shard; absent before the first. */
  readonly cursor?: string;
  readonly isComplete: boolean;
  readonly shards: number;
  readonly objects: number;
  readonly bytes: number;
}

/** Keys that were given one by one, in lists that lie in the coordination store. */
export interface Manifest {
  /** The job that they were given to. */
  readonly of: string;
  readonly lists: number;
  readonly objects: number;
  /** The last one; they come in order. */
  readonly last?: string;
}

/** What a plan expects of the job that it plans. */
export interface Forecast {
  readonly seconds: number;
  /** What `seconds` is reckoned from, in words. */
  readonly basis: string;
  /** Bytes of other objects' pages that have to go; absent where nothing is loaded. */
  readonly evictedBytes?: number;
  /** Bytes that there is room for all in all, in the caches of all nodes. */
  readonly capacityBytes?: number;
}

/** A job as it lies in the coordination store. A value: every change makes another. */
export interface JobRecord extends JobSpec {
  readonly id: string;
  readonly createdMs: number;
  readonly endedMs?: number;
  readonly state: JobState;
  readonly manifest?: Manifest;
  /** Of a plan that has succeeded. */
  readonly forecast?: Forecast;
  /** The job that comes after it. */
  readonly next?: string;
  /** Of a job that verifies: how many came before it that had to load something again. */
  readonly round?: number;
  /** Of a failed job, if it is not that objects failed. */
  readonly reason?: string;
  readonly listed: Listed;
  /** Shards, from the first on, that are summed up in `counts`. */
  readonly summedShards: number;
  readonly counts: Counts;
}

/** A range of keys, `after < key <= through` in UTF-8 byte order, and what was found in it. */
export interface Shard {
  /** Of its job, counted from 0. */
  readonly number: number;
  /** It is about what this node has, not about a range of keys: nobody else can do it. */
  readonly worker?: string;
  readonly after?: string;
  readonly through: string;
  readonly objects: number;
  readonly bytes: number;
  readonly isDone: boolean;
  /** The key up to which `counts` counts; absent: none. */
  readonly doneThrough?: string;
  /** Bytes that were fetched of objects that are not counted yet: only to be shown. */
  readonly openBytes?: number;
  readonly counts: Counts;
}

export function newJob(id: string, spec: JobSpec, nowMs: number): JobRecord {
  return {
    ...spec,
    id,
    createdMs: nowMs,
    state: spec.hasManifest ? 'collecting' : 'running',
    ...(spec.hasManifest ? { manifest: { of: id, lists: 0, objects: 0 } } : {}),
    listed: { isComplete: false, shards: 0, objects: 0, bytes: 0 },
    summedShards: 0,
    counts: noCounts,
  };
}
