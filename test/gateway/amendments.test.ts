import { expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { Metrics } from '../../src/common/metrics.ts';
import { systemRandom } from '../../src/common/random.ts';
import { Amendments } from '../../src/gateway/amendments.ts';
import type { Place } from '../../src/gateway/namespace.ts';
import { versionTarget } from '../../src/gateway/version-reads.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { defaultMetadataCacheSettings, MetadataCache } from '../../src/worker/metadata-cache.ts';
import { plain } from '../contracts/backend.ts';
import { TestBody } from '../support/upload-body.ts';

const grants = [{ grantee: { group: 'AllUsers' }, permission: 'READ' }] as const;

/** Two versions of `k` behind a lease, under which metadata is kept; the metadata cache knows both by their ids, and the present one. */
async function scene() {
  const backend = new MemoryBackend(systemClock, systemRandom);
  const metadata = new MetadataCache(systemClock, new Metrics(), defaultMetadataCacheSettings);
  const put = async () =>
    (await backend.put('k', new TestBody('bytes'), { ...plain, versioning: 'enabled' })).versionId ?? '';
  const older = await put();
  const newer = await put();
  const bucket = { name: 'b', owner: 'ada', createdMs: 0, incarnation: 'i', kind: 'mount' } as const;
  const place: Place = {
    bucket,
    key: 'k',
    backend,
    mount: 'b',
    incarnation: 'i',
    path: 'k',
    mountFreshness: undefined,
    policy: undefined,
    notBeforeSeconds: undefined,
    freshness: { kind: 'lease', ms: 60_000 },
    readOnly: false,
    isRoot: false,
    keepsWrites: true,
    versioning: 'enabled',
  };
  const known = async () => {
    const targets = [place, versionTarget(place, newer), versionTarget(place, older)];
    const found = await Promise.all(targets.map((target) => metadata.get(target)));
    return found.map(({ meta }) => meta.access?.grants?.length ?? 0);
  };
  expect(await known()).toEqual([0, 0, 0]);
  expect(metadata.peek(versionTarget(place, newer))).toBeDefined();
  return { amendments: new Amendments(metadata), place, known, older, newer };
}

test('a change of the present version is known by both its names, and of no other version', async () => {
  const { amendments, place, known } = await scene();
  await amendments.amend(place, { access: { grants } }, {});
  expect(await known()).toEqual([1, 1, 0]);
  await amendments.amend(place, { access: {} }, {});
  expect(await known()).toEqual([0, 0, 0]);
});

test('a change of the present version by its id is known by both its names too', async () => {
  const { amendments, place, known, newer } = await scene();
  await amendments.amend(place, { access: { grants } }, { versionId: newer });
  expect(await known()).toEqual([1, 1, 0]);
});

test('a change of an older version is known of that one alone', async () => {
  const { amendments, place, known, older } = await scene();
  await amendments.amend(place, { access: { grants } }, { versionId: older });
  expect(await known()).toEqual([0, 0, 1]);
});

test('a change of another generation than the one that is meant is refused', async () => {
  const { amendments, place, known } = await scene();
  const refused = amendments.amend(place, { access: { grants }, generation: 'another' }, {});
  await expect(refused).rejects.toMatchObject({ kind: 'moved' });
  expect(await known()).toEqual([0, 0, 0]);
});
