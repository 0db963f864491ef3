import { createHash } from 'node:crypto';
import { expect } from '@jest/globals';
import type { VersioningMode } from '../../src/ufs/backend-versions.ts';
import type { RootBackend } from '../../src/ufs/root.ts';
import { kindOf, plain, readAll } from '../contracts/backend.ts';
import type { Disk } from '../support/fault-disk.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';

/** A version as its writer knows it: the seed of its bytes and their number; without them a delete marker. */
interface Known {
  readonly seed: number;
  readonly sizeBytes?: number;
  readonly isNull: boolean;
  /** Made of an upload's parts, which lie elsewhere. */
  readonly ofParts?: boolean;
  /** Undefined while the write was not acknowledged. */
  id?: string;
}
type Stack = readonly Known[];

const inlineLimitBytes = 65_536;

/**
 * What was done to a root with versions, as its caller knows it: of each key the versions, the newest first. A change that was under way
 * when the power went has happened whole or not at all.
 */
export class VersionHistory {
  private readonly stacks = new Map<string, Stack>();
  /** What the change under way makes of its key. */
  private coming: { readonly key: string; readonly stack: Stack } | undefined;
  private count = 0;

  async put(
    backend: RootBackend,
    key: string,
    sizeBytes: number,
    versioning?: VersioningMode,
  ): Promise<void> {
    const made = this.newVersion(versioning, sizeBytes);
    await this.change(key, this.withNew(key, made), async () => {
      const options = { ...plain, versioning };
      const meta = await backend.put(key, new TestBody(someBytes(sizeBytes, made.seed)), options);
      made.id = meta.versionId ?? 'null';
    });
  }

  async complete(backend: RootBackend, key: string, sizeBytes: number, versioning: VersioningMode) {
    const made = { ...this.newVersion(versioning, sizeBytes), ofParts: true };
    const { uploadId } = await backend.createUpload(key, plain);
    const { etag } = await backend.putPart(key, uploadId, 1, new TestBody(someBytes(sizeBytes, made.seed)));
    await this.change(key, this.withNew(key, made), async () => {
      const named = [{ partNumber: 1, etag, checksums: {} }];
      const meta = await backend.completeUpload(key, uploadId, named, { versioning });
      made.id = meta.versionId ?? 'null';
    });
  }

  /** Copies the version at a place of the source's stack. */
  async copy(backend: RootBackend, from: string, place: number, to: string, versioning: VersioningMode) {
    const source = this.stackOf(from)[place] as Known;
    const { generation } = await backend.versions.head(from, source.id as string);
    const isNull = versioning === 'suspended';
    const made: Known = { seed: source.seed, sizeBytes: source.sizeBytes, isNull };
    await this.change(to, this.withNew(to, made), async () => {
      const options = { sourceGeneration: generation, sourceVersionId: source.id, versioning };
      made.id = (await backend.copy(from, to, options)).versionId ?? 'null';
    });
  }

  async mark(backend: RootBackend, key: string, versioning: VersioningMode): Promise<void> {
    const made = this.newVersion(versioning);
    await this.change(key, this.withNew(key, made), async () => {
      made.id = (await backend.delete(key, { versioning })).versionId;
    });
  }

  /** Takes the version at a place of the stack away. */
  async take(backend: RootBackend, key: string, place: number): Promise<void> {
    const stack = this.stackOf(key);
    const taken = stack[place] as Known;
    await this.change(key, stack.toSpliced(place, 1), async () => {
      await backend.versions.delete(key, taken.id as string);
    });
  }

  /** Fails unless what there is is what may be there, whole; it is what is known from then on. */
  async verify(backend: RootBackend): Promise<void> {
    const keys = new Set([...this.stacks.keys(), ...(this.coming ? [this.coming.key] : [])]);
    for (const key of [...keys].sort()) {
      const seen = await this.seen(backend, key);
      const possible = [this.stackOf(key), ...(this.coming?.key === key ? [this.coming.stack] : [])];
      const stack = possible.find((one) => rowsOf(one).join() === seen.map(({ row }) => row).join());
      if (!stack) {
        throw new Error(
          `${key}: ${seen.map(({ row }) => row)}, not one of ${possible.map(rowsOf).join(' or ')}`,
        );
      }
      for (const [i, version] of stack.entries()) {
        if (version.id !== undefined) expect(seen[i]?.id).toBe(version.id);
        version.id = seen[i]?.id as string;
      }
      this.stacks.set(key, stack);
      await this.verifyLatest(backend, key, stack);
    }
    this.coming = undefined;
    const present = [...this.stacks].filter(([, stack]) => stack[0]?.sizeBytes !== undefined);
    const { entries } = await backend.list({ prefix: '', limit: 1_000 });
    expect(entries.map(({ key }) => key)).toEqual(present.map(([key]) => key).sort());
  }

  /** Fails if anything lies about that no version needs. To be called when the sweep is over. */
  verifyFiles(disk: Disk): void {
    const files = disk.paths().filter((path) => !path.endsWith('/'));
    const all = [...this.stacks.values()].flat();
    const count = (pattern: RegExp) => files.filter((path) => pattern.test(path)).length;
    const large = all.filter(({ sizeBytes = 0, ofParts }) => sizeBytes > inlineLimitBytes && !ofParts);
    expect({
      records: count(/%k$/) + count(/%h\/[^/]*$/),
      bodies: count(/%v\.[^/]*$/),
      parts: count(/^\/data\/\.forebay\/objects\/[^/]*\/upload\.json$/),
    }).toEqual({
      records: all.length,
      bodies: large.length,
      parts: all.filter(({ ofParts }) => ofParts).length,
    });
  }

  /** Takes every version away, one after the other, and sees to it that nothing is left. */
  async clear(backend: RootBackend): Promise<void> {
    for (const [key, stack] of this.stacks) {
      for (let left = stack.length; left > 0; left--) {
        await this.take(backend, key, left % 2 ? 0 : left - 1);
        await this.verify(backend);
      }
    }
    expect((await backend.versions.list({ prefix: '', limit: 1 })).entries).toEqual([]);
  }

  private async seen(backend: RootBackend, key: string) {
    const { entries } = await backend.versions.list({ prefix: key, limit: 1_000 });
    const seen: { readonly row: string; readonly id: string }[] = [];
    for (const entry of entries) {
      if (entry.kind !== 'version' || entry.key !== key) continue;
      expect(entry.isLatest).toBe(seen.length === 0);
      const id = entry.versionId;
      const digest = entry.deleteMarker ? '-' : await this.digestOf(backend, key, id);
      seen.push({ row: `${digest}${id === 'null' ? ' null' : ''}`, id });
    }
    return seen;
  }

  private async digestOf(backend: RootBackend, key: string, versionId: string): Promise<string> {
    const meta = await backend.versions.head(key, versionId);
    return digest(await readAll(backend, key, meta));
  }

  private async verifyLatest(backend: RootBackend, key: string, stack: Stack): Promise<void> {
    const [latest] = stack;
    if (latest?.sizeBytes === undefined) {
      expect(await kindOf(backend.head(key))).toBe('not-found');
      return;
    }
    const meta = await backend.head(key);
    expect(meta.versionId ?? 'null').toBe(latest.id);
    expect(digest(await readAll(backend, key, meta))).toBe(digest(someBytes(latest.sizeBytes, latest.seed)));
  }

  private async change(key: string, stack: Stack, work: () => Promise<void>): Promise<void> {
    this.coming = { key, stack };
    await work();
    this.coming = undefined;
    this.stacks.set(key, stack);
  }

  private newVersion(versioning: VersioningMode | undefined, sizeBytes?: number): Known {
    const seed = ++this.count;
    return { seed, isNull: versioning !== 'enabled', ...(sizeBytes === undefined ? {} : { sizeBytes }) };
  }

  private withNew(key: string, made: Known): Stack {
    return [made, ...this.stackOf(key).filter((version) => !(made.isNull && version.isNull))];
  }

  private stackOf(key: string): Stack {
    return this.stacks.get(key) ?? [];
  }
}

function rowsOf(stack: Stack): string[] {
  return stack.map(({ seed, sizeBytes, isNull }) => {
    const row = sizeBytes === undefined ? '-' : digest(someBytes(sizeBytes, seed));
    return `${row}${isNull ? ' null' : ''}`;
  });
}

function digest(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}
