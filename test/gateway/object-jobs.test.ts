import { beforeEach, describe, expect, test } from '@jest/globals';
import { Namespace } from '../../src/gateway/namespace.ts';
import { ObjectJobs } from '../../src/gateway/object-jobs.ts';
import { countsOf } from '../../src/jobs/counts.ts';
import type { Work } from '../../src/jobs/job-objects.ts';
import { MountTable } from '../../src/mounts/mount-table.ts';
import { MountedBackends } from '../../src/mounts/mounted-backends.ts';
import type { PolicyFields } from '../../src/mounts/policy.ts';
import { defaultMetadataCacheSettings, MetadataCache } from '../../src/worker/metadata-cache.ts';
import { ChangingPolicies } from '../worker/changing-policies.ts';
import { pageSizeBytes, ReadingBench } from '../worker/reading.ts';

const sizeBytes = 10_000;

let bench: ReadingBench;
let policies: ChangingPolicies;
let jobs: ObjectJobs;

beforeEach(async () => {
  bench = new ReadingBench();
  policies = new ChangingPolicies();
  const { clock, metrics, backend, reader } = bench;
  const bucket = { name: 'lake', owner: 'root', createdMs: 0, incarnation: 'lake-1', kind: 'root' } as const;
  const namespace = new Namespace(
    { get: () => bucket },
    () => new MountTable([]),
    new MountedBackends(backend, async () => backend),
    { rootUri: backend.uri, leaseMs: 3_600_000 },
    policies,
    clock,
  );
  const metadata = new MetadataCache(clock, metrics, defaultMetadataCacheSettings);
  const { loader } = reader;
  jobs = new ObjectJobs({
    namespace,
    metadata,
    reader,
    loader,
    known: metadata,
    regions: undefined,
    workers: () => [],
    room: async () => ({ usedBytes: 0, capacityBytes: 0, nodes: 1 }),
    pageSizeBytes,
  });
  await bench.object(sizeBytes, 'lake/set/object');
});

/** What a load of the object, or its plan, counts. */
async function load(isPlan = false) {
  const work: Work = { isPlan, pace: async () => {}, signal: new AbortController().signal };
  const { loaded, cached, failed, failures } = countsOf(
    'set/object',
    await jobs.load('lake', 'set/object', work),
  );
  return { loaded, cached, failed, reason: failures[0]?.reason };
}

const loaded = { loaded: 1, cached: 0, failed: 0, reason: undefined };
const cached = { loaded: 0, cached: 1, failed: 0, reason: undefined };
const notKept = {
  loaded: 0,
  cached: 0,
  failed: 1,
  reason: '10000 of its 10000 bytes were not kept: no room, or not to be cached',
};

describe('what a policy says is never kept', () => {
  test.each<PolicyFields>([{ cache: 'never' }, { exclude: ['*ject'] }, { maxSizeBytes: 9_999 }])(
    '%j is not loaded, and not fetched for it; the plan has said so',
    async (fields) => {
      policies.set('lake/set/', fields);
      expect([await load(true), await load()]).toEqual([notKept, notKept]);
      expect([bench.store.usage.pages, bench.faults.givenBytes]).toEqual([0, 0]);
    },
  );

  test('and was kept before is not said to be cached', async () => {
    expect([await load(true), await load(), await load()]).toEqual([loaded, loaded, cached]);
    policies.set('lake/set/', { cache: 'never' });
    expect([await load(true), await load()]).toEqual([notKept, notKept]);
  });
});

test('what is kept from the second read on is loaded at once: a load is no read by chance', async () => {
  policies.set('lake/set/', { cache: 'second-read' });
  expect([await load(), await load()]).toEqual([loaded, cached]);
});

test('what is older than its policy allows is loaded anew, and the plan says so', async () => {
  policies.set('lake/set/', { ttlMs: 60_000 });
  expect(await load()).toEqual(loaded);
  await bench.clock.pass(59_000);
  expect([await load(true), await load()]).toEqual([cached, cached]);
  await bench.clock.pass(2_000);
  expect([await load(true), await load(), await load(true)]).toEqual([loaded, loaded, cached]);
});
