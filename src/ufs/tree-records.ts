import { dirname, join } from 'node:path';
import { crc32 } from '@node-rs/crc32';
import type { ObjectMeta, Tag } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type { DirectoryKeeper } from './directory-keeper.ts';
import {
  type FileStatus,
  type FileSystem,
  FileSystemError,
  isErrno,
  readWhole,
  removeQuietly,
  replaceFile,
} from './file-system.ts';
import { placeOf, recordName } from './root-names.ts';
import type { RootPaths } from './root-paths.ts';

/** What is known of one version beyond its bytes; `stamp` names the file that it is true of. */
export interface TreeRecord
  extends Pick<
    ObjectMeta,
    'access' | 'etag' | 'headers' | 'userMetadata' | 'storageClass' | 'checksums' | 'checksumType' | 'parts'
  > {
  readonly stamp: string;
  readonly tags?: readonly Tag[];
  /**
   * The file's ctime, nanoseconds in decimal: when it was `placed` as the object, or else when the record was written, which is shortly
   * before. Absent of a folder marker.
   */
  readonly ctime?: string;
  readonly placed?: true;
  readonly uploadId?: string;
  /** Of a folder marker, which has no file of its own. */
  readonly marker?: { readonly generation: string; readonly lastModifiedMs: number };
}

/** A record that is true of a file, as far as its stamp says. */
export interface FoundRecord {
  readonly record: TreeRecord;
  /**
   * False if something was done to the file since it was put: its rights were changed, or it was written and its modification time set
   * back. What the record says of the bytes, ETag and checksums, may be wrong then.
   */
  readonly knowsBytes: boolean;
}

const recordLimitBytes = 16 * 1024 * 1024;
/** A process that was killed between placing a file and noting its ctime leaves a record behind that is at most so old then. */
const placedWithinNs = 10_000_000_000n;

/** True of a file until its bytes change, unless its modification time is set back. */
export function stampOf({ dev, ino, mtimeNs, sizeBytes }: FileStatus): string {
  return [dev, ino, mtimeNs, sizeBytes].map((value) => value.toString(36)).join('.');
}

/** True of a directory as long as it exists. */
export function folderStampOf({ dev, ino }: FileStatus): string {
  return `folder.${dev.toString(36)}.${ino.toString(36)}`;
}

/**
 * Metadata of objects that were put through Forebay, under `.forebay/meta`, a file a key: the CRC-32 of its JSON in eight hexadecimal digits,
 * a space, and the JSON. It is written before the object's file is
 * put in place, beside what is true of the file that is there until then, so that at each moment the stamp finds the right one.
 */
export class TreeRecords {
  private readonly fs: FileSystem;
  private readonly random: Random;
  private readonly paths: RootPaths;
  private readonly keeper: DirectoryKeeper;
  private readonly root: string;

  /** `keeper` keeps the directories below `root`. */
  constructor(fs: FileSystem, random: Random, paths: RootPaths, keeper: DirectoryKeeper, root: string) {
    this.fs = fs;
    this.random = random;
    this.paths = paths;
    this.keeper = keeper;
    this.root = root;
  }

  async find(key: string, status: FileStatus): Promise<FoundRecord | undefined> {
    const stamp = status.kind === 'directory' ? folderStampOf(status) : stampOf(status);
    const record = (await this.load(key)).find((one) => one.stamp === stamp);
    return record && { record, knowsBytes: knowsBytes(record, status) };
  }

  /** Adds what is true of a new file; `present` is the stamp of the one it will replace. The caller has the key to itself. */
  async add(key: string, record: TreeRecord, present: string | undefined): Promise<void> {
    const kept = (await this.load(key)).filter((other) => other.stamp === present);
    const versions = [record, ...kept];
    await this.write(key, versions, true).catch((error) => {
      // Somebody cleared the directories of the records away, which are made again now.
      if (!isErrno(error, 'ENOENT')) throw error;
      return this.write(key, versions, true);
    });
  }

  /**
   * Notes the ctime that a file has in its place, to know from then on that nothing was done to it. Where this fails, or a power loss
   * takes it back, the record as it was added still holds, only less strictly.
   */
  async place(key: string, record: TreeRecord, status: FileStatus): Promise<void> {
    try {
      await this.write(key, [{ ...record, ctime: String(status.ctimeNs), placed: true }], false);
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
    }
  }

  /**
   * Puts what `change` makes of the record of a file, or of nothing, in its place; what is true of other files stays. The caller has the
   * key to itself.
   */
  async amend(
    key: string,
    stamp: string,
    change: (present: TreeRecord | undefined) => TreeRecord,
  ): Promise<void> {
    const versions = await this.load(key);
    const others = versions.filter((one) => one.stamp !== stamp);
    await this.write(key, [change(versions.find((one) => one.stamp === stamp)), ...others], true);
  }

  /** Forgets a key. What stays behind after a failure does no harm: it is true of no file. */
  async remove(key: string): Promise<void> {
    const path = this.path(key);
    if ((await this.load(key)).length === 0) return;
    const held = await this.keeper.hold(placeOf(key).directories);
    try {
      await removeQuietly(this.fs, path);
      await this.fs.syncDirectory(dirname(path));
    } finally {
      await this.keeper.release(held, true);
    }
  }

  private async write(key: string, versions: readonly TreeRecord[], durably: boolean): Promise<void> {
    const json = Buffer.from(JSON.stringify({ layout: 2, versions }));
    const bytes = Buffer.concat([Buffer.from(`${checksumOf(json)} `), json]);
    const tmp = this.paths.newTmp(this.random);
    const held = await this.keeper.hold(placeOf(key).directories);
    try {
      await replaceFile(this.fs, tmp, this.path(key), [bytes]);
      if (durably) await this.fs.syncDirectory(dirname(this.path(key)));
    } catch (error) {
      if (isErrno(error, 'ENOENT')) this.keeper.forget(held);
      throw error;
    } finally {
      await this.keeper.release(held, false);
    }
  }

  private path(key: string): string {
    const { directories, name } = placeOf(key);
    return join(this.root, ...directories, recordName(name));
  }

  private async load(key: string): Promise<readonly TreeRecord[]> {
    try {
      const bytes = await readWhole(this.fs, this.path(key), recordLimitBytes);
      return decode(bytes);
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) return [];
      throw error;
    }
  }
}

/** Of a damaged record nothing is believed, which leaves the file with what can be seen of it. */
function decode(bytes: Buffer): readonly TreeRecord[] {
  const isFirstLayout = bytes[0] === 0x7b;
  const json = isFirstLayout ? bytes : bytes.subarray(9);
  if (!isFirstLayout && bytes.toString('latin1', 0, 9) !== `${checksumOf(json)} `) return [];
  try {
    return (JSON.parse(json.toString()) as { versions: TreeRecord[] }).versions;
  } catch (error) {
    // Records of the first layout have no checksum.
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

function checksumOf(json: Buffer): string {
  return crc32(json).toString(16).padStart(8, '0');
}

function knowsBytes({ marker, ctime, placed }: TreeRecord, status: FileStatus): boolean {
  if (marker) return true;
  if (ctime === undefined) return false;
  const sinceNs = status.ctimeNs - BigInt(ctime);
  return placed ? sinceNs === 0n : sinceNs >= 0n && sinceNs <= placedWithinNs;
}
