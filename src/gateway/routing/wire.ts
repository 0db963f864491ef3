import type { ObjectMeta } from '../../common/object-meta.ts';
import type { Epoch, Released } from '../../ring/ownership.ts';
import type { CacheStatus } from '../../s3api/service.ts';
import type { OpenRange } from '../../ufs/backend.ts';
import type { Missing } from '../../worker/reader.ts';
import type { WireError } from './wire-errors.ts';

/** What nodes ask each other, as JSON. Whoever asks has authenticated and authorised its client before. */
interface Asked {
  /** The view that the question goes by. */
  readonly view: Epoch;
  /** How many nodes it has passed, the one that asks counted in. */
  readonly hops: number;
  /** When it was sent, ms by the sender's monotonic clock: who finds it old does not begin with it, since nobody waits any more. */
  readonly sentMs: number;
}

interface OfObject extends Asked {
  readonly bucket: string;
  readonly key: string;
  /** Of the mount, or of the bucket where the root mount holds it: another one is another object. */
  readonly incarnation: string;
  readonly versionId?: string;
}

/** For metadata and, where they are small or the beginning, the bytes. */
export interface LookUp extends OfObject {
  readonly op: 'lookup';
  readonly revalidate?: boolean;
  readonly maxAgeMs?: number;
  readonly noStore?: boolean;
  readonly onlyIfCached?: boolean;
  readonly checksums?: boolean;
  readonly read?: OpenRange;
  readonly together?: boolean;
  /** Workers that could not be reached: who is asked answers as if the ring did not have them. */
  readonly without?: readonly string[];
}

/** For bytes of exactly the version that `meta` describes, within one segment. */
export interface Read extends OfObject {
  readonly op: 'read';
  readonly meta: ObjectMeta;
  readonly start: number;
  readonly end: number;
  readonly missing: Missing;
}

/** As `Read`, of a node that kept these pages before: answered with bytes only if all of them are there. */
export interface Held extends OfObject {
  readonly op: 'held';
  readonly meta: ObjectMeta;
  readonly start: number;
  readonly end: number;
}

/** Whether pages of any version of it may be there. */
export interface Holds extends OfObject {
  readonly op: 'holds';
}

/** That what is known of the object be forgotten, by the node that owns it now. */
export interface Invalidate extends OfObject {
  readonly op: 'invalidate';
}

/** To be answered when everything that a view took from this node is released. */
export interface Release extends Asked {
  readonly op: 'released';
}

export interface ReleaseAnswer extends Released {
  /** Which start of the node has released it. */
  readonly incarnation: string;
}

/** Nothing but whether the two nodes hear each other: who has another secret is not heard. */
export interface Greet extends Asked {
  readonly op: 'greet';
}

/** What the node has to tell whoever looks after the cluster: of which kind, and what exactly, is theirs to understand. */
export interface Report extends Asked {
  readonly op: 'report';
  readonly kind: string;
  readonly about: unknown;
}

/** That what is known of the object be forgotten, by a member that goes by this very view and has no lease of it any more. */
export interface Lapsed extends OfObject {
  readonly op: 'lapsed';
}

/** That the pages of a range within one segment be kept, or told of which are, or which are whole; answered with `LoadedRange`, when it has been done. */
export interface Load extends OfObject {
  readonly op: 'load' | 'look' | 'check';
  readonly meta: ObjectMeta;
  readonly start: number;
  readonly end: number;
}

/** That all pages of an object, and what is known of it, be forgotten. */
export interface Free extends OfObject {
  readonly op: 'free';
}

export type Question =
  | Report
  | Load
  | Free
  | LookUp
  | Read
  | Held
  | Holds
  | Invalidate
  | Release
  | Greet
  | Lapsed;

/** `moved`: the node that was asked is not the owner, by this view. */
export type Answer<T> = { readonly ok: T } | { readonly error: WireError } | { readonly moved: Epoch };

export interface LookUpAnswer {
  readonly meta: ObjectMeta;
  readonly validatedMs: number;
  /** What the body has of the object, where it has something. */
  readonly range?: { readonly start: number; readonly end: number };
  readonly cache?: CacheStatus;
}

export interface ReadAnswer {
  readonly cache: CacheStatus;
}

export function encode(message: unknown): Buffer {
  return Buffer.from(JSON.stringify(message));
}

/** What a peer wrote, which has proved that it is one of this cluster's nodes. Throws SyntaxError where it is no JSON. */
export function decode<T>(message: Buffer): T {
  return JSON.parse(message.toString('utf8')) as T;
}
