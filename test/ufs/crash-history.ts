import { createHash } from 'node:crypto';
import { expect } from '@jest/globals';
import type { Backend, CompletePart } from '../../src/ufs/backend.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import { getAll, kindOf, listAll } from '../contracts/backend.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';

/** A version by its number, which its bytes and its metadata both carry; undefined: no object. */
type VersionNumber = number | undefined;

interface Version {
  readonly bytes: Buffer;
  readonly etag: string;
}

interface Part {
  readonly size: number;
  readonly seed: number;
  readonly named: CompletePart;
}

interface Upload {
  readonly key: string;
  readonly uploadId: string;
  readonly version: number;
  readonly parts: Map<number, Part>;
  /** Being stored in place of one of the same number. */
  arriving?: Part;
  /** Being completed or aborted, or that has happened. */
  ending?: 'complete' | 'abort';
  ended: boolean;
}

const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest();

/**
 * What was done to a backend, as its caller knows it: of each key, the versions that may be there. An acknowledged change leaves
 * one; a change that was under way when the power went leaves two.
 */
export class CrashHistory {
  private readonly versions = new Map<number, Version>();
  private readonly possible = new Map<string, Set<VersionNumber>>();
  private readonly uploads: Upload[] = [];
  private count = 0;

  async put(backend: Backend, key: string, sizeBytes: number): Promise<void> {
    const version = this.newVersion(someBytes(sizeBytes, this.count + 1), undefined);
    const { bytes } = this.versions.get(version) as Version;
    await this.change(key, version, () =>
      backend.put(key, new TestBody(bytes), { headers: {}, userMetadata: { version: String(version) } }),
    );
  }

  async delete(backend: Backend, key: string): Promise<void> {
    await this.change(key, undefined, () => backend.delete(key));
  }

  async copy(backend: Backend, from: string, to: string): Promise<void> {
    const source = await backend.head(from);
    const bytes = await getAll(backend, from);
    const version = this.newVersion(bytes, undefined);
    const replace = { headers: {}, userMetadata: { version: String(version) } };
    await this.change(to, version, () =>
      backend.copy(from, to, { sourceGeneration: source.generation, replace }),
    );
  }

  async createUpload(backend: Backend, key: string): Promise<string> {
    const version = ++this.count;
    const about = { headers: {}, userMetadata: { version: String(version) } };
    const { uploadId } = await backend.createUpload(key, about);
    this.uploads.push({ key, uploadId, version, parts: new Map(), ended: false });
    return uploadId;
  }

  async putPart(backend: Backend, uploadId: string, partNumber: number, size: number): Promise<void> {
    const upload = this.upload(uploadId);
    const seed = ++this.count;
    const bytes = someBytes(size, seed);
    const part = { size, seed, named: { partNumber, etag: md5(bytes).toString('hex'), checksums: {} } };
    upload.arriving = part;
    await backend.putPart(upload.key, uploadId, partNumber, new TestBody(bytes));
    upload.arriving = undefined;
    upload.parts.set(partNumber, part);
  }

  async complete(backend: Backend, uploadId: string): Promise<void> {
    const upload = this.upload(uploadId);
    const bodies = [...upload.parts.values()].map(({ size, seed }) => someBytes(size, seed));
    const etag = `${md5(Buffer.concat(bodies.map(md5))).toString('hex')}-${bodies.length}`;
    this.versions.set(upload.version, { bytes: Buffer.concat(bodies), etag });
    upload.ending = 'complete';
    const named = [...upload.parts.values()].map((part) => part.named);
    await this.change(upload.key, upload.version, () => backend.completeUpload(upload.key, uploadId, named));
    upload.ended = true;
  }

  async abort(backend: Backend, uploadId: string): Promise<void> {
    const upload = this.upload(uploadId);
    upload.ending = 'abort';
    await backend.abortUpload(upload.key, uploadId);
    upload.ended = true;
  }

  /** Fails unless everything there is a version that may be there, whole; what is seen is the only possible from then on. */
  async verify(backend: Backend): Promise<void> {
    const present: string[] = [];
    for (const [key, allowed] of this.possible) {
      const seen = await this.verifyObject(backend, key);
      if (!allowed.has(seen)) throw new Error(`${key} is version ${seen}, not one of ${[...allowed]}`);
      this.possible.set(key, new Set([seen]));
      if (seen !== undefined) present.push(key);
    }
    expect(await listAll(backend)).toEqual(present.sort());
    const folded = new Set(present.map((key) => key.replace(/\/.*/s, '/')));
    expect(await listAll(backend, { delimiter: '/' })).toEqual([...folded].sort());
    for (const upload of this.uploads) await this.verifyUpload(backend, upload);
    const { entries } = await backend.listUploads({ prefix: '', limit: 100 });
    const open = this.uploads.filter((upload) => !upload.ended).map((upload) => upload.uploadId);
    // An upload whose creation was never acknowledged may be there or not.
    const known = new Set(this.uploads.map((upload) => upload.uploadId));
    const listed = entries.flatMap((entry) => (entry.kind === 'upload' ? [entry.upload.uploadId] : []));
    expect(listed.filter((id) => known.has(id)).sort()).toEqual(open.sort());
  }

  /** Brings everything that is still open to its end, so that it is seen to be whole. */
  async finish(backend: Backend): Promise<void> {
    for (const upload of this.uploads) {
      if (!upload.ended && upload.parts.size > 0) await this.complete(backend, upload.uploadId);
    }
    await this.put(backend, 'after/all', 10);
    await this.verify(backend);
  }

  private async verifyObject(backend: Backend, key: string): Promise<VersionNumber> {
    const meta = await backend.head(key).catch((error) => {
      if (error instanceof UfsError && error.kind === 'not-found') return undefined;
      throw error;
    });
    if (!meta) return undefined;
    const number = Number(meta.userMetadata.version);
    const version = this.versions.get(number);
    if (!version) throw new Error(`${key} has the metadata of no version: ${JSON.stringify(meta)}`);
    expect(meta.etag).toBe(version.etag);
    if (!(await getAll(backend, key)).equals(version.bytes))
      throw new Error(`${key} is not version ${number} whole`);
    const page = await backend.list({ prefix: key, limit: 1 });
    expect(page.entries[0]).toMatchObject({ key, etag: meta.etag, sizeBytes: version.bytes.length });
    return number;
  }

  private async verifyUpload(backend: Backend, upload: Upload): Promise<void> {
    const { key, uploadId, ending, version } = upload;
    const parts = await backend.listParts(key, uploadId, { limit: 100 }).catch((error) => {
      if (error instanceof UfsError && error.kind === 'no-such-upload') return undefined;
      throw error;
    });
    const isPresent = this.possible.get(key)?.has(version) ?? false;
    if (upload.ended || (ending === 'abort' && !parts) || isPresent) {
      // A tree of real files may still hold the parts of what it has made of them, until Complete is called again.
      if (parts && isPresent && ending === 'complete' && !upload.ended) {
        const named = [...upload.parts.values()].map((part) => part.named);
        expect(await backend.completeUpload(key, uploadId, named)).toMatchObject({
          etag: this.versions.get(version)?.etag,
        });
      }
      expect(await kindOf(backend.listParts(key, uploadId, { limit: 1 }))).toBe('no-such-upload');
      upload.ended = true;
      return;
    }
    if (!parts) throw new Error(`the upload of ${key} is gone, and its object is not there`);
    const { arriving } = upload;
    if (arriving && parts.parts.some((part) => part.etag === arriving.named.etag)) {
      upload.parts.set(arriving.named.partNumber, arriving);
    }
    upload.arriving = undefined;
    const numbers = parts.parts.map((part) => part.partNumber);
    for (const [partNumber, { named }] of upload.parts) {
      const part = parts.parts[numbers.indexOf(partNumber)];
      if (!part) throw new Error(`part ${partNumber} of ${key} is lost`);
      if (part.etag !== named.etag) throw new Error(`part ${partNumber} of ${key} is another one`);
    }
    if (ending) upload.ending = undefined;
  }

  private async change(key: string, version: VersionNumber, work: () => Promise<unknown>): Promise<void> {
    const allowed = this.possible.get(key) ?? new Set([undefined]);
    this.possible.set(key, new Set([...allowed, version]));
    await work();
    this.possible.set(key, new Set([version]));
  }

  private newVersion(bytes: Buffer, etag: string | undefined): number {
    const version = ++this.count;
    this.versions.set(version, { bytes, etag: etag ?? md5(bytes).toString('hex') });
    return version;
  }

  private upload(uploadId: string): Upload {
    return this.uploads.find((upload) => upload.uploadId === uploadId) as Upload;
  }
}
