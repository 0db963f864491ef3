import { describe, expect, test } from '@jest/globals';
import type { ObjectAccess } from '../../src/common/access-control.ts';
import type { Backend } from '../../src/ufs/backend.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { kindOf, type OpenBackend, plain, put, readAll, withBackend } from './backend.ts';
import { withVersions } from './versioned.ts';

const access: ObjectAccess = {
  owner: 'ada',
  grants: [
    { grantee: { user: 'ada' }, permission: 'FULL_CONTROL' },
    { grantee: { group: 'AllUsers' }, permission: 'READ' },
  ],
};
const others: ObjectAccess = { grants: [{ grantee: { user: 'bob' }, permission: 'WRITE_ACP' }] };
const sizes = [Buffer.alloc(0), Buffer.from('small'), someBytes(100_000)];

const amend = (backend: Backend, key: string, change: ObjectAccess, generation?: string) =>
  backend.amend?.(key, { access: change, generation }) ??
  Promise.reject(new Error('it says that it keeps ACLs'));

/** Whose an object is and whom it is open to, of backends that keep it; of others, that they keep nothing of the kind. */
export function accessContract(open: OpenBackend): void {
  const withAcls = (run: (backend: Backend) => Promise<void>) =>
    withBackend(open, async (backend) => {
      if (backend.capabilities.objectAcls) await run(backend);
      else expect((await put(backend, 'k', 'small')).access).toBeUndefined();
    });

  describe('owners and ACLs', () => {
    test(
      'are kept with an object until it is overwritten',
      withAcls(async (backend) => {
        for (const bytes of sizes) {
          expect((await backend.put('k', new TestBody(bytes), { ...plain, access })).access).toEqual(access);
          expect((await backend.head('k')).access).toEqual(access);
          const { entries } = await backend.list({ prefix: 'k', limit: 1 });
          expect(entries[0]).toMatchObject({ key: 'k', owner: 'ada' });
          await put(backend, 'k', bytes);
          expect(await backend.head('k')).not.toHaveProperty('access');
        }
      }),
    );

    test(
      'change, and go, without another version',
      withAcls(async (backend) => {
        for (const bytes of sizes) {
          const made = await backend.put('k', new TestBody(bytes), { ...plain, access });
          const { access: _, generationSettled: __, ...facts } = made;
          expect(await amend(backend, 'k', others)).toMatchObject({ ...facts, access: others });
          expect(await backend.head('k')).toMatchObject({ ...facts, access: others });
          expect(await amend(backend, 'k', {})).not.toHaveProperty('access');
          expect(await backend.head('k')).not.toHaveProperty('access');
          if (bytes.length > 0) expect((await readAll(backend, 'k', made)).equals(bytes)).toBe(true);
        }
      }),
    );

    test(
      'and tags leave each other alone',
      withAcls(async (backend) => {
        const tags = [{ key: 'a', value: 'b' }];
        await backend.put('k', new TestBody('small'), { ...plain, access, tags });
        await backend.amend?.('k', { tags: [] });
        expect((await backend.head('k')).access).toEqual(access);
        await backend.amend?.('k', { tags });
        await amend(backend, 'k', others);
        expect((await backend.head('k')).tagCount).toBe(1);
        expect(await backend.getTags?.('k')).toEqual(tags);
      }),
    );

    test(
      'change only of the version that is meant',
      withAcls(async (backend) => {
        const { generation } = await put(backend, 'k', 'first');
        await put(backend, 'k', 'second');
        expect(await kindOf(amend(backend, 'k', access, generation))).toBe('moved');
        expect(await backend.head('k')).not.toHaveProperty('access');
        expect(await kindOf(amend(backend, 'none', access))).toBe('not-found');
      }),
    );

    test(
      'are never taken along by a copy, whatever it brings',
      withAcls(async (backend) => {
        for (const bytes of sizes) {
          const { generation } = await backend.put('k', new TestBody(bytes), { ...plain, access });
          const from = { sourceGeneration: generation };
          expect(await backend.copy('k', 'c', from)).not.toHaveProperty('access');
          const replace = { headers: {}, userMetadata: {} };
          expect(await backend.copy('k', 'c', { ...from, replace })).not.toHaveProperty('access');
          expect((await backend.copy('k', 'c', { ...from, access: others })).access).toEqual(others);
          expect((await backend.head('c')).access).toEqual(others);
        }
      }),
    );

    test(
      'that an upload began with are the object’s',
      withAcls(async (backend) => {
        const { uploadId } = await backend.createUpload('k', { ...plain, access });
        const part = await backend.putPart('k', uploadId, 1, new TestBody('part'));
        expect((await backend.listParts('k', uploadId, { limit: 1 })).upload.access).toEqual(access);
        await backend.completeUpload('k', uploadId, [{ ...part, checksums: {} }]);
        const { generation, ...made } = await backend.head('k');
        expect(made.access).toEqual(access);
        expect(await amend(backend, 'k', others)).toMatchObject({ generation, access: others });
      }),
    );

    test(
      'belong to each of several versions',
      withVersions(open, async ({ backend, versions, set, put: putVersion }) => {
        if (!backend.capabilities.objectAcls) return;
        await set('enabled');
        const older = await putVersion('k', 'older');
        const newer = await putVersion('k', 'newer');
        const change = (versionId: string, to: ObjectAccess) =>
          backend.amend?.('k', { access: to }, { versionId });
        await change(older, access);
        expect((await versions.head('k', older)).access).toEqual(access);
        expect(await versions.head('k', newer)).not.toHaveProperty('access');
        expect(await backend.head('k')).not.toHaveProperty('access');
        await change(newer, others);
        expect((await backend.head('k')).access).toEqual(others);
        await backend.amend?.('k', { tags: [{ key: 'a', value: 'b' }] }, { versionId: older });
        expect(await backend.getTags?.('k', { versionId: older })).toEqual([{ key: 'a', value: 'b' }]);
        expect(await backend.getTags?.('k')).toEqual([]);
        await versions.delete('k', newer);
        expect((await backend.head('k')).access).toEqual(access);
        expect(await kindOf(change(newer, {}) ?? Promise.resolve())).toBe('no-such-version');
      }),
    );
  });
}
