import { compareUtf8 } from '../common/utf8-order.ts';
import type { ListedPrefix, ListUploadsOptions, ListUploadsPage, UploadInfo } from './backend.ts';
import { mapBounded } from './bounded.ts';
import { lowerBound } from './grouping.ts';
import { KeyLock } from './key-lock.ts';
import { pageSortedUploads } from './multipart-rules.ts';

/** What is remembered of an upload under way, to find it without reading its file. */
export type IndexedUpload = Pick<UploadInfo, 'key' | 'uploadId' | 'initiatedMs'>;

/** Where uploads are kept. */
export interface UploadDirectory {
  /** The ids of all that are there. */
  names(): Promise<readonly string[]>;
  /** Undefined for one that is gone, or does not say what it is. */
  read(uploadId: string, signal?: AbortSignal): Promise<UploadInfo | undefined>;
}

/** Uploads that are read at once. */
const atOnce = 16;

/**
 * The uploads under way, by key and id, so that listing some of them reads no others. Where other processes may make and end uploads
 * too, the names are looked at before each use, and what is new is read.
 */
export class UploadIndex {
  private readonly directory: UploadDirectory;
  private readonly shared: boolean;
  private readonly lock = new KeyLock();
  private readonly byId = new Map<string, IndexedUpload>();
  /** In order of key and id. */
  private readonly sorted: IndexedUpload[] = [];
  private loaded = false;
  /** What was added or removed here while the directory is being read: newer than what is read. */
  private touched: Set<string> | undefined;

  constructor(directory: UploadDirectory, shared: boolean) {
    this.directory = directory;
    this.shared = shared;
  }

  /** As of the last look. */
  get count(): number {
    return this.sorted.length;
  }

  /** Whether it was looked at what was there before. */
  get isLoaded(): boolean {
    return this.loaded;
  }

  add({ key, uploadId, initiatedMs }: IndexedUpload): void {
    this.touched?.add(uploadId);
    this.insert({ key, uploadId, initiatedMs });
  }

  remove(uploadId: string): void {
    this.touched?.add(uploadId);
    const upload = this.byId.get(uploadId);
    if (!upload) return;
    this.byId.delete(uploadId);
    this.sorted.splice(this.placeOf(upload), 1);
  }

  /** Makes sure that everything which was there when it was called is known. */
  async look(): Promise<void> {
    if (this.loaded && !this.shared) return;
    await this.lock.run('look', async () => {
      if (this.loaded && !this.shared) return;
      const touched = new Set<string>();
      this.touched = touched;
      try {
        await this.read(touched);
      } finally {
        this.touched = undefined;
      }
      this.loaded = true;
    });
  }

  /** One page of those known. */
  page(options: ListUploadsOptions) {
    return pageSortedUploads(this.sorted, options);
  }

  /** One page of those that are there, as each of them says itself. */
  async list(options: ListUploadsOptions): Promise<ListUploadsPage> {
    await this.look();
    const entries: ListUploadsPage['entries'][number][] = [];
    let from: ListUploadsOptions = options;
    for (;;) {
      const page = this.page({ ...from, limit: options.limit - entries.length });
      const read = await mapBounded(page.entries, atOnce, (entry) => this.listed(entry, options.signal));
      // An upload that has ended since leaves room for another.
      for (const entry of read) if (entry) entries.push(entry);
      const last = page.entries.at(-1);
      if (!page.truncated || !last || entries.length === options.limit) {
        return { entries, truncated: page.truncated };
      }
      const keyMarker = last.kind === 'prefix' ? last.key : last.upload.key;
      const uploadIdMarker = last.kind === 'prefix' ? undefined : last.upload.uploadId;
      from = { ...options, keyMarker, uploadIdMarker };
    }
  }

  /** Those known that were begun before. */
  begunBefore(timeMs: number): IndexedUpload[] {
    return this.sorted.filter((upload) => upload.initiatedMs < timeMs);
  }

  /** All that are known. */
  all(): readonly IndexedUpload[] {
    return [...this.sorted];
  }

  private async listed(
    entry: { kind: 'upload'; upload: IndexedUpload } | ListedPrefix,
    signal: AbortSignal | undefined,
  ) {
    if (entry.kind === 'prefix') return entry;
    const upload = await this.directory.read(entry.upload.uploadId, signal);
    return upload && { kind: 'upload' as const, upload };
  }

  private async read(touched: ReadonlySet<string>): Promise<void> {
    const names = new Set(await this.directory.names());
    const unknown = [...names].filter((name) => !this.byId.has(name));
    const found = await mapBounded(unknown, atOnce, (name) => this.directory.read(name));
    for (const uploadId of [...this.byId.keys()]) {
      if (!names.has(uploadId) && !touched.has(uploadId)) this.remove(uploadId);
    }
    for (const upload of found) if (upload && !touched.has(upload.uploadId)) this.insert(upload);
  }

  private insert({ key, uploadId, initiatedMs }: IndexedUpload): void {
    if (this.byId.has(uploadId)) return;
    const upload = { key, uploadId, initiatedMs };
    this.byId.set(uploadId, upload);
    this.sorted.splice(this.placeOf(upload), 0, upload);
  }

  private placeOf({ key, uploadId }: IndexedUpload): number {
    return lowerBound(this.sorted.length, (index) => {
      const other = this.sorted[index] as IndexedUpload;
      const order = compareUtf8(other.key, key);
      return order < 0 || (order === 0 && other.uploadId < uploadId);
    });
  }
}
