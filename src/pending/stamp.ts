import { crc32c } from '@node-rs/crc32';

/**
 * Names a version that was acknowledged before its storage had it, for ever and everywhere. Kept with the object at the storage, so that
 * whoever finds it there knows whether an attempt without an answer took effect.
 */
export interface Stamp {
  /** Whose epochs these are; stamps of different origins cannot be compared. */
  readonly origin: string;
  readonly epoch: number;
  /** Grows within an epoch. */
  readonly sequence: number;
}

/** A stamp with what the storage itself does not keep of the version. */
export interface StampNote {
  readonly stamp: Stamp;
  /** As acknowledged. Where the storage has another one, others have written there since. */
  readonly etag: string;
  readonly lastModifiedMs: number;
}

/** The same of two versions exactly if they are one. At most 80 characters. */
export function formatStamp({ origin, epoch, sequence }: Stamp): string {
  return `${origin}.${epoch}.${sequence}`;
}

/** Negative if `a` was acknowledged before `b`; undefined where that cannot be told. */
export function compareStamps(a: Stamp, b: Stamp): number | undefined {
  if (a.origin !== b.origin) return undefined;
  return a.epoch - b.epoch || a.sequence - b.sequence;
}

/** In the words that a storage keeps. A copy of the object under another key is seen to be none of its versions. */
export function formatNote(key: string, { stamp, etag, lastModifiedMs }: StampNote): string {
  return [formatStamp(stamp), etag, lastModifiedMs, keySign(key)].join(' ');
}

/** Undefined for anything that `formatNote` did not give for this key. */
export function parseNote(key: string, text: string | undefined): StampNote | undefined {
  const match = /^([0-9a-z-]{1,40})\.(\d{1,15})\.(\d{1,15}) ([!-~]{1,64}) (\d{1,15}) ([0-9a-f]{8})$/.exec(
    text ?? '',
  );
  if (!match || match[6] !== keySign(key)) return undefined;
  return {
    stamp: { origin: match[1] as string, epoch: Number(match[2]), sequence: Number(match[3]) },
    etag: match[4] as string,
    lastModifiedMs: Number(match[5]),
  };
}

function keySign(key: string): string {
  return crc32c(key).toString(16).padStart(8, '0');
}
