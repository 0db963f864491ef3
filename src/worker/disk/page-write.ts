import type { Queue } from '../admission.ts';
import { blockChecksums, totalBytes } from '../page-format.ts';
import type { PageKey } from '../page-store.ts';
import { folderOf } from './folders.ts';
import type { PageHash } from './page-hash.ts';
import { keyTextOf } from './record-format.ts';
import { type NewRecord, recordBytes } from './region-writer.ts';

/** A page that is to be written, or is being written. */
export class PageWrite {
  readonly key: PageKey;
  readonly hash: PageHash;
  readonly path32: number;
  readonly folder: string;
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
    filledSeconds: number,
  ) {
    this.key = key;
    this.hash = hash;
    this.path32 = path32;
    this.folder = folderOf(key.path);
    const keyText = keyTextOf(key);
    this.record = {
      keyText,
      incarnation: key.incarnation,
      folder: this.folder,
      header: {
        pageBytes: totalBytes(pieces),
        filledSeconds,
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
