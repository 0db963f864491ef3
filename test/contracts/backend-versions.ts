import { describe, expect, test } from '@jest/globals';
import { UfsError } from '../../src/ufs/errors.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { getAll, kindOf, listAll, type OpenBackend, plain, readAll } from './backend.ts';
import { withVersions as opened, rows, type Versioned } from './versioned.ts';

const noSuch = '00000000000000aaaaaaaaaaaaaaaaaa';
const small = 100;
const large = 70_000;

async function markerOf(call: Promise<unknown>): Promise<UfsError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof UfsError) return error;
  throw new Error(`expected a UfsError: ${error}`);
}

export function versionContract(open: OpenBackend): void {
  const withVersions = (run: (versioned: Versioned) => Promise<void>) => opened(open, run);

  describe('versions', () => {
    test(
      'what takes a version’s place says so, and what can keep none offers nothing of it',
      withVersions(async ({ backend }) => {
        if (!backend.capabilities.versioning) expect(typeof backend.versions?.mode).toBe('function');
      }),
    );

    test(
      'each put keeps the version before it, small and large, and each is read back by its id',
      withVersions(async (versioned) => {
        const { backend, versions, set, put } = versioned;
        await set('enabled');
        const made: [string, Buffer][] = [];
        for (const size of [small, large, small + 1, large + 1, 0]) {
          const bytes = someBytes(size, size + 1);
          made.push([await put('a/k', bytes), bytes]);
        }
        for (const [versionId, bytes] of made) {
          const meta = await versions.head('a/k', versionId);
          expect(meta).toMatchObject({ versionId, sizeBytes: bytes.length });
          expect((await readAll(backend, 'a/k', meta)).equals(bytes)).toBe(true);
        }
        const latest = await backend.head('a/k');
        expect(latest.versionId).toBe(made.at(-1)?.[0]);
        expect(await rows(versioned)).toEqual([
          'a/k 0 id *',
          `a/k ${large + 1} id`,
          `a/k ${small + 1} id`,
          `a/k ${large} id`,
          `a/k ${small} id`,
        ]);
        expect(await listAll(backend)).toEqual(['a/k']);
      }),
    );

    test(
      'a delete puts a marker before the others, and taking that away brings them back',
      withVersions(async (versioned) => {
        const { backend, versions, set, put, remove } = versioned;
        await set('enabled');
        const first = await put('f/k', someBytes(large, 1));
        const marker = await remove('f/k');
        const absent = await markerOf(backend.head('f/k'));
        expect([absent.kind, absent.marker?.versionId]).toEqual(['not-found', marker]);
        const met = await markerOf(versions.head('f/k', marker));
        expect([met.kind, met.marker?.versionId]).toEqual(['delete-marker', marker]);
        expect(met.marker?.lastModifiedMs).toBeGreaterThan(0);
        expect(await listAll(backend)).toEqual([]);
        expect(await listAll(backend, { delimiter: '/' })).toEqual([]);
        expect(await rows(versioned)).toEqual(['f/k - id *', `f/k ${large} id`]);
        const meta = await versions.head('f/k', first);
        expect((await readAll(backend, 'f/k', meta)).equals(someBytes(large, 1))).toBe(true);

        expect(await versions.delete('f/k', marker)).toMatchObject({ versionId: marker, deleteMarker: true });
        expect((await backend.head('f/k')).versionId).toBe(first);
        expect((await getAll(backend, 'f/k')).equals(someBytes(large, 1))).toBe(true);
        expect(await listAll(backend, { delimiter: '/' })).toEqual(['f/']);
        expect(await rows(versioned)).toEqual([`f/k ${large} id *`]);
      }),
    );

    test(
      'taking the latest version away makes the one before it the latest, be it an object or a marker',
      withVersions(async (versioned) => {
        const { backend, versions, set, put, remove } = versioned;
        await set('enabled');
        await put('k', someBytes(1, 1));
        const second = await put('k', someBytes(large, 2));
        const third = await put('k', someBytes(3, 3));
        expect((await versions.delete('k', third)).deleteMarker ?? false).toBe(false);
        expect((await backend.head('k')).versionId).toBe(second);
        const marker = await remove('k');
        const fourth = await put('k', someBytes(4, 4));
        expect(await rows(versioned)).toEqual(['k 4 id *', 'k - id', `k ${large} id`, 'k 1 id']);
        await versions.delete('k', fourth);
        expect((await markerOf(backend.head('k'))).marker?.versionId).toBe(marker);
        expect(await listAll(backend)).toEqual([]);
        await versions.delete('k', second);
        await versions.delete('k', marker);
        expect(await rows(versioned)).toEqual(['k 1 id *']);
        expect((await getAll(backend, 'k')).equals(someBytes(1, 1))).toBe(true);
      }),
    );

    test(
      'taking an older version away leaves the latest alone',
      withVersions(async (versioned) => {
        const { backend, versions, set, put } = versioned;
        await set('enabled');
        const first = await put('k', someBytes(large, 1));
        const second = await put('k', someBytes(large + 1, 2));
        await versions.delete('k', first);
        expect((await backend.head('k')).versionId).toBe(second);
        expect((await getAll(backend, 'k')).equals(someBytes(large + 1, 2))).toBe(true);
        expect(await kindOf(versions.head('k', first))).toBe('no-such-version');
        // What is gone is gone as it was asked for.
        expect(await versions.delete('k', first)).toEqual({ versionId: first });
      }),
    );

    test(
      'a version that was read for long is read on after it was taken away as the latest',
      withVersions(async ({ backend, set, put }) => {
        await set('enabled');
        await put('k', someBytes(large, 1));
        const meta = await backend.head('k');
        await put('k', someBytes(large, 2));
        expect((await readAll(backend, 'k', meta)).equals(someBytes(large, 1))).toBe(true);
      }),
    );

    test(
      'what was there before versions were kept is the null version',
      withVersions(async (versioned) => {
        const { backend, versions, set, put } = versioned;
        await set(undefined);
        await put('k', someBytes(large, 1));
        await set('enabled');
        expect((await backend.head('k')).versionId ?? 'null').toBe('null');
        await put('k', someBytes(2, 2));
        expect(await rows(versioned)).toEqual(['k 2 id *', `k ${large} null`]);
        const meta = await versions.head('k', 'null');
        expect((await readAll(backend, 'k', meta)).equals(someBytes(large, 1))).toBe(true);
        await versions.delete('k', 'null');
        expect(await kindOf(versions.head('k', 'null'))).toBe('no-such-version');
        expect(await rows(versioned)).toEqual(['k 2 id *']);
      }),
    );

    test(
      'suspended, a put replaces the null version and keeps the others',
      withVersions(async (versioned) => {
        const { backend, versions, set, put } = versioned;
        await set(undefined);
        await put('k', someBytes(1, 1));
        await set('enabled');
        await put('k', someBytes(2, 2));
        await set('suspended');
        await put('k', someBytes(large, 3));
        expect(await rows(versioned)).toEqual([`k ${large} null *`, 'k 2 id']);
        await put('k', someBytes(4, 4));
        expect(await rows(versioned)).toEqual(['k 4 null *', 'k 2 id']);
        const meta = await versions.head('k', 'null');
        expect((await readAll(backend, 'k', meta)).equals(someBytes(4, 4))).toBe(true);
        await set('enabled');
        await put('k', someBytes(5, 5));
        expect(await rows(versioned)).toEqual(['k 5 id *', 'k 4 null', 'k 2 id']);
      }),
    );

    test(
      'suspended, a delete takes the null version away and puts a null marker in its place',
      withVersions(async (versioned) => {
        const { versions, set, put, remove } = versioned;
        await set('enabled');
        await put('k', someBytes(1, 1));
        await set('suspended');
        await put('k', someBytes(large, 2));
        expect(await remove('k')).toBe('null');
        expect(await rows(versioned)).toEqual(['k - null *', 'k 1 id']);
        expect(await remove('k')).toBe('null');
        expect(await rows(versioned)).toEqual(['k - null *', 'k 1 id']);
        await put('k', someBytes(3, 3));
        expect(await rows(versioned)).toEqual(['k 3 null *', 'k 1 id']);
        await remove('k');
        expect(await versions.delete('k', 'null')).toMatchObject({ deleteMarker: true });
        expect(await rows(versioned)).toEqual(['k 1 id *']);
      }),
    );

    test(
      'a version is copied by its id, also over the present one',
      withVersions(async (versioned) => {
        const { backend, versions, set, put } = versioned;
        await set('enabled');
        const old = await put('k', someBytes(large, 1));
        await put('k', someBytes(2, 2));
        const source = await versions.head('k', old);
        const options = { sourceGeneration: source.generation, sourceVersionId: old };
        const versioning = backend.capabilities.versioning ? ('enabled' as const) : undefined;
        await backend.copy('k', 'copy', { ...options, versioning });
        expect((await getAll(backend, 'copy')).equals(someBytes(large, 1))).toBe(true);
        await backend.copy('k', 'k', { ...options, versioning });
        expect((await getAll(backend, 'k')).equals(someBytes(large, 1))).toBe(true);
        expect(await rows(versioned, { prefix: 'k' })).toEqual([
          `k ${large} id *`,
          'k 2 id',
          `k ${large} id`,
        ]);
      }),
    );

    test(
      'a completed upload is a version, and stays one when it is replaced',
      withVersions(async (versioned) => {
        const { backend, versions, set, put } = versioned;
        await set('enabled');
        const { uploadId } = await backend.createUpload('k', plain);
        const part = await backend.putPart('k', uploadId, 1, new TestBody(someBytes(large, 1)));
        const named = [{ partNumber: 1, etag: part.etag, checksums: {} }];
        const versioning = backend.capabilities.versioning ? ('enabled' as const) : undefined;
        const { versionId } = await backend.completeUpload('k', uploadId, named, { versioning });
        expect(versionId).toBeDefined();
        await put('k', someBytes(2, 2));
        const meta = await versions.head('k', versionId as string);
        expect((await readAll(backend, 'k', meta)).equals(someBytes(large, 1))).toBe(true);
        await versions.delete('k', versionId as string);
        expect(await rows(versioned)).toEqual(['k 2 id *']);
      }),
    );

    test(
      'conditions are about the present version, which a marker is not',
      withVersions(async ({ backend, versions, set, put, remove }) => {
        await set('enabled');
        const first = await put('k', 'one');
        const { etag } = await backend.head('k');
        await remove('k');
        const mode = backend.capabilities.versioning ? { versioning: 'enabled' as const } : {};
        const write = (condition: { ifMatch: string } | { ifNoneMatch: '*' }) =>
          backend.put('k', new TestBody('two'), { ...plain, ...mode, condition });
        expect(await kindOf(write({ ifMatch: etag }))).toBe('not-found');
        await write({ ifNoneMatch: '*' });
        expect(await kindOf(write({ ifNoneMatch: '*' }))).toBe('precondition-failed');
        expect(await kindOf(backend.delete('k', { ...mode, condition: { ifMatch: etag } }))).toBe(
          'precondition-failed',
        );
        expect((await versions.head('k', first)).etag).toBe(etag);
      }),
    );

    test(
      'an id that is none, and one that no version has, are told apart',
      withVersions(async ({ versions, set, put }) => {
        await set('enabled');
        await put('k', 'one');
        expect(await kindOf(versions.head('k', noSuch))).toBe('no-such-version');
        expect(await kindOf(versions.head('k', 'null'))).toBe('no-such-version');
        expect(await kindOf(versions.head('absent', noSuch))).toBe('no-such-version');
        expect(await kindOf(versions.head('k', 'not an id'))).toBe('invalid-version');
        expect(await kindOf(versions.delete('k', '../k'))).toBe('invalid-version');
        expect(
          await kindOf(versions.list({ prefix: '', keyMarker: 'k', versionIdMarker: 'x', limit: 1 })),
        ).toBe('invalid-version');
      }),
    );
  });
}
