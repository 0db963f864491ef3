import type { Queue } from '../admission.ts';
import { blockChecksums, totalBytes } from '../page-format.ts';
import type { PageKey } from '../page-store.ts';
import type { PageHash } from './page-hash.ts';
import { keyTextOf } from './record-format.ts';
import { type NewRecord, recordBytes } from './region-writer.ts';

export interface KeepOptions {
  /** Unix time in milliseconds from which on the page is absent; seconds count. */
  readonly expiresAtMs?: number;
  /** It is carried whenever its region is given up, as far as there is room. */
  readonly pinned?: boolean;
}

/** A page that is to be written, or is being written. */
export class PageWrite {
  readonly key: PageKey;
  readonly hash: PageHash;
  readonly path32: number;
  readonly record: NewRecord;
  /** Bytes of its record. */
  readonly bytes: number;
  /** Where it goes, once that was decided. */
  queue: Queue | undefined;
  /** Removed before it was there. */
  cancelled = false;
  private readonly ended = Promise.withResolvers<void>();

  constructor(
    key: PageKey,
    hash: PageHash,
    path32: number,
    pieces: readonly Buffer[],
    options: KeepOptions = {},
  ) {
    this.key = key;
    this.hash = hash;
    this.path32 = path32;
    const keyText = keyTextOf(key);
    const expirySeconds = options.expiresAtMs === undefined ? 0 : Math.ceil(options.expiresAtMs / 1000);
    this.record = {
      keyText,
      incarnation: key.incarnation,
      header: {
        pageBytes: totalBytes(pieces),
        pinned: options.pinned ?? false,
        expirySeconds,
        checksums: blockChecksums(pieces),
      },
      pieces,
    };
    this.bytes = recordBytes(this.record);
  }

  /** Resolves when it was written, or will not be. */
  get done(): Promise<void> {
    return this.ended.promise;
  }

  end(): void {
    this.ended.resolve();
  }
}
