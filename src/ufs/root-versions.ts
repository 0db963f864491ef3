import type { ByteRange } from '../common/byte-range.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { CallOptions } from './backend.ts';
import { readRange } from './body-file.ts';
import { UfsError } from './errors.ts';
import { FileSystemError, type OpenFile } from './file-system.ts';
import { HeldVersions } from './held-versions.ts';
import type { RootBodies } from './root-bodies.ts';
import type { RootCommits } from './root-commits.ts';
import { inlineLimitBytes, type LoadedRecord, type StoredPart } from './root-record.ts';
import { nullVersionId } from './version-ids.ts';
import { checkSignal } from './write-rules.ts';

interface PartList {
  readonly uploadId: string;
  readonly parts: readonly StoredPart[];
}

/** Where the bytes of a version are read from. */
type Source =
  | { readonly kind: 'inline'; readonly bytes: Buffer }
  | { readonly kind: 'file'; readonly file: OpenFile }
  | { readonly kind: 'parts'; readonly list: PartList };

/** How many objects' lists of parts are kept, so that reading a large object page by page does not parse its list each time. */
const keptPartListCount = 64;

/** Versions of the root layout to be read. One that is held is readable to its end, whatever becomes of its key meanwhile. */
export class RootVersions {
  private readonly uri: string;
  private readonly bodies: RootBodies;
  private readonly commits: RootCommits;
  private readonly held = new HeldVersions<Source>((source) => this.close(source));
  /** By generation, the most recently used last. */
  private readonly partLists = new Map<string, PartList>();

  constructor(uri: string, bodies: RootBodies, commits: RootCommits) {
    this.uri = uri;
    this.bodies = bodies;
    this.commits = commits;
  }

  /** Rejects with `moved` if the version is not the present one any more and nobody holds it. */
  hold(key: string, meta: ObjectMeta) {
    return this.held.hold(meta.generation, () => this.open(key, meta));
  }

  async *read(
    key: string,
    meta: ObjectMeta,
    range: ByteRange,
    { signal }: CallOptions,
  ): AsyncGenerator<Buffer> {
    const check = () => checkSignal(signal, this.uri, key);
    check();
    const { source, release } = await this.hold(key, meta);
    try {
      if (source.kind === 'inline') yield source.bytes.subarray(range.start, range.end);
      else if (source.kind === 'file') yield* readRange(source.file, key, range, check);
      else if (!(yield* this.bodies.readParts(source.list.uploadId, source.list.parts, range, check))) {
        throw missing(meta.generation);
      }
    } finally {
      await release();
    }
  }

  private async open(key: string, meta: ObjectMeta): Promise<Source> {
    const { generation } = meta;
    if (meta.sizeBytes > inlineLimitBytes && !meta.parts) {
      // The file's name is the generation, so the record need not be asked.
      const file = await this.bodies.openFile(key, generation);
      if (file) return { kind: 'file', file };
    }
    const known = this.partLists.get(generation);
    if (known && (await this.bodies.holdParts(known.uploadId))) return { kind: 'parts', list: known };
    return this.openRecorded(key, meta);
  }

  private async openRecorded(key: string, meta: ObjectMeta): Promise<Source> {
    const { generation } = meta;
    const record = await this.find(key, meta, { parts: true, inlineBody: true });
    if (!record) throw this.moved(key);
    if (record.inlineBody) return { kind: 'inline', bytes: record.inlineBody };
    if (record.parts) {
      const list = this.keepPartList(generation, record);
      if (await this.bodies.holdParts(list.uploadId)) return { kind: 'parts', list };
    } else {
      const file = await this.bodies.openFile(key, generation);
      if (file) return { kind: 'file', file };
    }
    // As a rule because there is a newer one by now.
    throw (await this.find(key, meta)) ? missing(generation) : this.moved(key);
  }

  /** The version as long as it is there, be it the present one or an older one. */
  private async find(
    key: string,
    { generation, versionId = nullVersionId }: ObjectMeta,
    want?: { parts?: boolean; inlineBody?: boolean },
  ): Promise<LoadedRecord | undefined> {
    const present = await this.commits.load(key, want);
    if (present?.current.generation === generation) return present;
    const older = await this.commits.find(key, versionId, want);
    return older?.current.generation === generation ? older : undefined;
  }

  private async close(source: Source): Promise<void> {
    if (source.kind === 'file') await source.file.close();
    if (source.kind === 'parts') await this.bodies.leaveParts(source.list.uploadId);
  }

  private keepPartList(generation: string, { current, parts }: LoadedRecord): PartList {
    const list = { uploadId: current.uploadId as string, parts: parts as readonly StoredPart[] };
    this.partLists.set(generation, list);
    for (const oldest of this.partLists.keys()) {
      if (this.partLists.size <= keptPartListCount) break;
      this.partLists.delete(oldest);
    }
    return list;
  }

  private moved(key: string): UfsError {
    return new UfsError('moved', 'the version is not the present one any more', { backend: this.uri, key });
  }
}

function missing(generation: string): FileSystemError {
  return new FileSystemError('EIO', `the body of ${generation} is missing`);
}
