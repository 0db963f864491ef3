import { describe } from '@jest/globals';
import type { ByteRange } from '../../src/common/byte-range.ts';
import type { ObjectMeta } from '../../src/common/object-meta.ts';
import type { Backend, PutOptions } from '../../src/ufs/backend.ts';
import type { VersioningMode } from '../../src/ufs/backend-versions.ts';
import { UfsError, type UfsErrorKind } from '../../src/ufs/errors.ts';
import { TestBody, type TestBodyOptions } from '../support/upload-body.ts';
import { accessContract } from './backend-access.ts';
import { checksumContract } from './backend-checksums.ts';
import { conditionContract } from './backend-conditions.ts';
import { keyContract } from './backend-keys.ts';
import { listingContract } from './backend-listing.ts';
import { multipartContract } from './backend-multipart.ts';
import { objectContract } from './backend-objects.ts';
import { pinContract } from './backend-pins.ts';
import { tagContract } from './backend-tags.ts';
import { versionListContract } from './backend-version-lists.ts';
import { versionContract } from './backend-versions.ts';

/** A backend under test, empty at first. Its least part size is 5 bytes. */
export interface BackendUnderTest {
  readonly backend: Backend;
  /** Anything that lies about apart from visible objects and open uploads, such as temporary files. */
  leftovers(): Promise<readonly string[]>;
  /** Keys of which it says that it cannot hold them; absent: those that no tree of files could hold. */
  readonly refusedKeys?: readonly string[];
  /** Whether it can hold a key, where that is a matter of the key alone; absent: any, or, without `anyKey`, nobody can tell. */
  holds?(key: string): boolean;
  /** The greatest user metadata that it holds, where that is less than 40 names with 600 bytes each. */
  readonly greatestMetadata?: Readonly<Record<string, string>>;
  /** Sets the storage behind a backend that has versions and does not set them itself. */
  setVersioning?(mode: VersioningMode): Promise<void>;
  close(): Promise<void>;
}

export type OpenBackend = () => Promise<BackendUnderTest>;

/** What every backend promises (`Backend`); a suite skips nothing but what the backend's capabilities say is not there. */
export function backendContract(name: string, open: OpenBackend): void {
  describe(`${name} keeps the backend contract`, () => {
    objectContract(open);
    conditionContract(open);
    listingContract(open);
    keyContract(open);
    multipartContract(open);
    checksumContract(open);
    tagContract(open);
    accessContract(open);
    pinContract(open);
    versionContract(open);
    versionListContract(open);
  });
}

export const plain = { headers: {}, userMetadata: {} } as const;

export function put(
  backend: Backend,
  key: string,
  bytes: Buffer | string,
  options: Partial<PutOptions> & TestBodyOptions = {},
): Promise<ObjectMeta> {
  return backend.put(key, new TestBody(bytes, options), { ...plain, ...options });
}

export async function readAll(
  backend: Backend,
  key: string,
  meta: ObjectMeta,
  range: ByteRange = { start: 0, end: meta.sizeBytes },
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  if (range.start < range.end) for await (const chunk of backend.read(key, meta, range)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Number and size of each part that an object was made of. */
export async function partsOf(
  backend: Backend,
  key: string,
  meta: ObjectMeta,
): Promise<(readonly [partNumber: number, sizeBytes: number])[]> {
  if (!backend.findPart) return (meta.parts ?? []).map((part) => [part.partNumber, part.sizeBytes]);
  const { count } = await backend.findPart(key, meta, 1);
  const places = Array.from({ length: count }, (_, i) => backend.findPart?.(key, meta, i + 1));
  return (await Promise.all(places)).map((place, i) => {
    if (!place) throw new Error('the part has no place');
    return [i + 1, place.range.end - place.range.start];
  });
}

export async function getAll(backend: Backend, key: string): Promise<Buffer> {
  return readAll(backend, key, await backend.head(key));
}

export async function listAll(
  backend: Backend,
  options: { prefix?: string; delimiter?: string; limit?: number } = {},
): Promise<string[]> {
  const keys: string[] = [];
  let after: string | undefined;
  for (let truncated = true; truncated; ) {
    const page = await backend.list({ prefix: '', limit: 1_000, ...options, after });
    keys.push(...page.entries.map((entry) => entry.key));
    after = page.entries.at(-1)?.key;
    truncated = page.truncated;
  }
  return keys;
}

/** The kind of `UfsError` that a call rejects with; fails if it succeeds, and passes other errors on. */
export async function kindOf(call: Promise<unknown>): Promise<UfsErrorKind> {
  try {
    await call;
  } catch (error) {
    if (error instanceof UfsError) return error.kind;
    throw error;
  }
  throw new Error('the call was expected to fail');
}

/** Opens a backend for one test and closes it whatever happens; checks that nothing is left lying about. */
export function withBackend(
  open: OpenBackend,
  run: (backend: Backend, underTest: BackendUnderTest) => Promise<void>,
): () => Promise<void> {
  return async () => {
    const underTest = await open();
    const { backend, leftovers, close } = underTest;
    try {
      await run(backend, underTest);
      const left = await leftovers();
      if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
    } finally {
      await close();
    }
  };
}
