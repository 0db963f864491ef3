import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Metrics } from '../../src/common/metrics.ts';
import type { Mutants } from '../../src/common/mutants.ts';
import type { ObjectMeta } from '../../src/common/object-meta.ts';
import type { Backend } from '../../src/ufs/backend.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import { MetadataCache } from '../../src/worker/metadata-cache.ts';
import type { MetadataTarget } from '../../src/worker/reader.ts';
import { ManualClock } from './manual-clock.ts';

/** A register with metadata whose every step waits for the scheduler: a question is sent, answered and delivered apart. */
class SteppedBackend {
  version = 0;
  private readonly step: (what: string) => Promise<unknown>;

  constructor(step: (what: string) => Promise<unknown>) {
    this.step = step;
  }

  async head(): Promise<ObjectMeta> {
    await this.step('head sent');
    const seen = this.version;
    await this.step('head answered');
    return metaOf(seen);
  }

  async change(version: number, fails: boolean): Promise<ObjectMeta> {
    await this.step('write sent');
    // Changes are ordered by the backend; a later number is a later state.
    this.version = Math.max(this.version, version);
    const now = this.version;
    await this.step('write answered');
    if (fails) throw new UfsError('timeout', 'the answer was lost', { backend: 'stepped' });
    return metaOf(now);
  }
}

function metaOf(version: number): ObjectMeta {
  return {
    sizeBytes: version,
    etag: `v${version}`,
    lastModifiedMs: 0,
    generation: `g${version}`,
    generationSettled: true,
    headers: {},
    userMetadata: {},
  };
}

type Step = 'read' | 'validate' | 'write' | 'failing write' | 'invalidate';
const steps = fc.constantFrom<Step>('read', 'read', 'validate', 'write', 'failing write', 'invalidate');

/** All actors start at once; in every order of their steps each read is at least as new as what was acknowledged before it began. */
async function everyOrder(exclusive: boolean, mutants: Mutants, runs: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.array(steps, { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 4 }),
      async (scheduler, actors) => {
        const backend = new SteppedBackend((what) => scheduler.schedule(Promise.resolve(), what));
        const capabilities = { exclusive };
        const target = {
          backend: { ...capabilitiesOf(capabilities), head: () => backend.head() } as unknown as Backend,
          mount: 'm',
          incarnation: 'i',
          path: 'p',
          freshness: { kind: 'lease', ms: 1e9 },
        } satisfies MetadataTarget;
        const cache = new MetadataCache(new ManualClock(), new Metrics(), { capacityBytes: 10_000, mutants });
        let acknowledged = 0;
        let nextVersion = 0;
        const act = async (step: Step): Promise<void> => {
          const floor = acknowledged;
          if (step === 'read' || step === 'validate') {
            const { meta } = await cache.get(target, { revalidate: step === 'validate' });
            if (meta.sizeBytes < floor) throw new Error(`read ${meta.sizeBytes} after ${floor}`);
          } else if (step === 'invalidate') {
            cache.invalidate(target);
          } else {
            const version = ++nextVersion;
            const write = cache.write(target, () => backend.change(version, step === 'failing write'));
            await write.catch(() => undefined);
            if (step === 'write') acknowledged = Math.max(acknowledged, version);
          }
        };
        const all = Promise.all(
          actors.map(async (list) => {
            for (const step of list) await act(step);
          }),
        );
        await scheduler.waitFor(all);
        const kept = cache.peek(target);
        if (kept && kept.meta.sizeBytes !== backend.version) {
          throw new Error(`kept ${kept.meta.sizeBytes} while the backend has ${backend.version}`);
        }
        expect(cache.usage.keysInFlight).toBe(0);
      },
    ),
    { numRuns: runs, seed: 42 },
  );
}

function capabilitiesOf(capabilities: { exclusive: boolean }) {
  return { uri: 'stepped:', capabilities };
}

describe('metadata under reads, writes and invalidations in any order', () => {
  test('is never older than the last acknowledged write', async () => {
    await everyOrder(false, {}, 800);
  });

  test('is never older at an exclusive backend either', async () => {
    await everyOrder(true, {}, 400);
  });

  test('planted defect: would be seen to be older if an overtaken answer were installed', async () => {
    await expect(everyOrder(false, { installOvertakenMetadata: true }, 800)).rejects.toThrow(/read|kept/);
  });
});

test('a slow answer that a write overtook is not installed', async () => {
  const gate = Promise.withResolvers<void>();
  const target: MetadataTarget = {
    backend: {
      ...capabilitiesOf({ exclusive: false }),
      head: async () => {
        await gate.promise;
        return metaOf(1);
      },
    } as unknown as Backend,
    mount: 'm',
    incarnation: 'i',
    path: 'p',
    freshness: { kind: 'immutable' },
  };
  const cache = new MetadataCache(new ManualClock(), new Metrics(), { capacityBytes: 10_000 });
  const slow = cache.get(target);
  await cache.write(target, async () => metaOf(2));
  gate.resolve();
  expect((await slow).meta.sizeBytes).toBe(1);
  expect(cache.peek(target)?.meta.sizeBytes).toBe(2);
});

test('after writes that overlapped nothing is known until the backend was asked', async () => {
  const target: MetadataTarget = {
    backend: { ...capabilitiesOf({ exclusive: true }), head: async () => metaOf(9) } as unknown as Backend,
    mount: 'm',
    incarnation: 'i',
    path: 'p',
    freshness: { kind: 'immutable' },
  };
  const cache = new MetadataCache(new ManualClock(), new Metrics(), { capacityBytes: 10_000 });
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const writes = gates.map((gate, i) =>
    cache.write(target, async () => {
      await gate.promise;
      return metaOf(i + 1);
    }),
  );
  gates[0]?.resolve();
  await writes[0];
  expect(cache.peek(target)).toBeUndefined();
  gates[1]?.resolve();
  await writes[1];
  expect(cache.peek(target)).toBeUndefined();
  expect((await cache.get(target)).meta.sizeBytes).toBe(9);
  expect(cache.peek(target)?.meta.sizeBytes).toBe(9);
});
