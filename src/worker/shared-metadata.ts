import type { ObjectMeta } from '../common/object-meta.ts';
import type { KnownMeta } from './reader.ts';
import { SharedCache } from './shared-cache.ts';
import { createSharedCacheMemory, type SharedCacheMemory } from './shared-cache-memory.ts';

/** What threads are told of an object: JSON in shared memory. */
export interface SharedKnowledge {
  readonly meta: ObjectMeta;
  /** When the backend was asked, by the wall clock and by the monotonic clock that all threads share. */
  readonly validatedMs: number;
  readonly monotonicMs: number;
  /** Nobody else changes the backend, so that age is of no matter. */
  readonly exclusive: boolean;
}

export interface SharedMetadataSettings {
  readonly capacityBytes: number;
  /** Threads that read, the publishing one among them. */
  readonly threadCount: number;
  /** A number that nobody outside knows. */
  readonly hashSeed: number;
}

/** Metadata of objects of thousands of parts is asked of the store thread, not kept here. */
const maxRecordBytes = 32 * 1024;
const usualRecordBytes = 512;

/**
 * What the store thread's metadata cache knows, as far as it may be used without asking the backend, for the other threads to see. What
 * is withdrawn is found by no look that begins after `withdraw` has returned.
 */
export class SharedMetadata {
  /** For the other threads' readers. */
  readonly shared: SharedCacheMemory;
  private readonly cache: SharedCache;

  constructor({ capacityBytes, threadCount, hashSeed }: SharedMetadataSettings) {
    this.shared = createSharedCacheMemory({
      capacityBytes,
      maxValueBytes: maxRecordBytes,
      usualValueBytes: usualRecordBytes,
      threadCount,
      seed: hashSeed,
    });
    this.cache = new SharedCache(this.shared, maxRecordBytes);
  }

  /** Takes the place of what was published of the name before. */
  publish(name: string, { meta, validatedMs }: KnownMeta, monotonicMs: number, exclusive: boolean): void {
    this.cache.remove(name);
    const knowledge: SharedKnowledge = { meta, validatedMs, monotonicMs, exclusive };
    const bytes = Buffer.from(JSON.stringify(knowledge));
    this.cache.put(name, 0, [bytes], bytes.length);
  }

  withdraw(name: string): void {
    this.cache.remove(name);
  }

  /** Gives up what a thread that ended without a word had held. */
  forgetThread(thread: number): void {
    this.cache.forgetThread(thread);
  }
}
