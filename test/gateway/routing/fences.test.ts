import { afterEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../../src/common/clock.ts';
import { Metrics } from '../../../src/common/metrics.ts';
import { OwnedMetadata } from '../../../src/gateway/routing/owned-metadata.ts';
import type { Ownership, View, ViewMember } from '../../../src/ring/ownership.ts';
import { SoleOwnership } from '../../../src/ring/sole-ownership.ts';
import type { Backend } from '../../../src/ufs/backend.ts';
import { UfsError } from '../../../src/ufs/errors.ts';
import { defaultMetadataCacheSettings, MetadataCache } from '../../../src/worker/metadata-cache.ts';
import type { MetadataTarget } from '../../../src/worker/reader.ts';
import { TestBody } from '../../support/upload-body.ts';
import { RingNodes } from './ring-nodes.ts';

const patienceMs = 120_000;
let ring: RingNodes | undefined;
afterEach(async () => {
  await ring?.close();
  ring = undefined;
});

const plain = { headers: {}, userMetadata: {} };
const names = ['self', 'other', 'third', 'gone', ''];

/** Who may write, as each fence was told. */
type Told = readonly string[];

/** What one node knows of one mount of a storage that needs fences; the fences are raised when `raise` is called. */
async function scene() {
  ring = await RingNodes.start(1);
  const { storage, mount } = ring;
  const told: Told[] = [];
  const waiting: { resolve(): void; reject(error: Error): void }[] = [];
  const backend = new Proxy(storage, {
    get: (target, name) => {
      if (name !== 'fence') return Reflect.get(target, name) as unknown;
      return (mayWrite: (writer: string) => boolean) => {
        told.push(names.filter(mayWrite));
        return new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }));
      };
    },
  }) as Backend;
  const self = { workerId: 'w-self', incarnation: 'self' };
  const member = (name: string) => ({ workerId: `w-${name}`, incarnation: name }) as ViewMember;
  const sole = new SoleOwnership(member('self'));
  let view: View = { ...sole.view(), members: ['self', 'other', 'third'].map(member) };
  let overdue: ReadonlyMap<string, number> = new Map();
  const ownership = new Proxy(sole, {
    get: (target, name) => {
      if (name === 'view') return () => view;
      if (name === 'overdue') return () => overdue;
      return Reflect.get(target, name) as unknown;
    },
  }) as Ownership;
  const cache = new MetadataCache(systemClock, new Metrics(), defaultMetadataCacheSettings);
  const never = async () => false;
  const questions = { invalidate: never, lapsed: never };
  const metadata = new OwnedMetadata(systemClock, cache, ownership, questions, 1_000);
  const target = (path = 'k'): MetadataTarget => ({
    ...self,
    backend,
    mount: 'm',
    incarnation: mount.incarnation,
    path,
    freshness: { kind: 'lease', ms: 600_000 },
  });
  const settle = async (end: 'resolve' | 'reject' = 'resolve') => {
    const error = new UfsError('unavailable', 'nobody answers', { backend: backend.uri });
    for (const one of waiting.splice(0)) one[end](error as Error & undefined);
    // What waits for it goes on.
    await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    metadata,
    target,
    told,
    raise: settle,
    isRaising: () => waiting.length > 0,
    put: (text: string) => () => storage.put('k', new TestBody(text), plain),
    next: (members: readonly string[], late: ReadonlyMap<string, number> = new Map()) => {
      view = { ...view, epoch: view.epoch + 1, members: members.map(member) };
      overdue = late;
    },
    late: (more: ReadonlyMap<string, number>) => {
      overdue = more;
    },
  };
}

describe('of a storage where changes may come late', () => {
  test(
    'nothing is kept or changed before those were fenced off who are no members',
    async () => {
      const { metadata, target, told, raise, isRaising, put } = await scene();
      let isDone = false;
      const writing = metadata.write(target(), put('x')).then(() => {
        isDone = true;
      });
      while (!isRaising()) await new Promise((resolve) => setImmediate(resolve));
      expect(metadata.peek(target())).toBeUndefined();
      expect([told, isDone]).toEqual([[['self', 'other', 'third']], false]);
      await raise();
      await writing;
      await metadata.get(target());
      expect(metadata.peek(target())).toBeDefined();
      // Once for all objects of the mount.
      await metadata.write(target(), put('y'));
      expect(told).toHaveLength(1);
    },
    patienceMs,
  );

  test(
    'each view, and each member that did not release what it lost, is fenced off once',
    async () => {
      const { metadata, target, told, raise, isRaising, put, next, late } = await scene();
      const write = async () => {
        const writing = metadata.write(target(), put('x'));
        let isDone = false;
        const ended = writing.finally(() => {
          isDone = true;
        });
        while (!isDone) {
          if (isRaising()) await raise();
          await new Promise((resolve) => setImmediate(resolve));
        }
        await ended;
      };
      await write();
      next(['self', 'other']);
      expect(metadata.peek(target())).toBeUndefined();
      await write();
      late(new Map([['other', 7]]));
      expect(metadata.peek(target())).toBeUndefined();
      await write();
      await write();
      next(['self', 'other', 'third'], new Map([['other', 7]]));
      await write();
      late(new Map([['other', 8]]));
      await write();
      late(new Map([['', 9]]));
      await write();
      expect(told).toEqual([
        ['self', 'other', 'third'],
        ['self', 'other'],
        ['self'],
        ['self', 'other', 'third'],
        ['self', 'third'],
        ['self'],
      ]);
    },
    patienceMs,
  );

  test(
    'a fence that cannot be raised fails the change, which is told so, and is tried again',
    async () => {
      const { metadata, target, told, raise, isRaising, put } = await scene();
      const failed = metadata.write(target(), put('x')).catch((error: unknown) => error);
      while (!isRaising()) await new Promise((resolve) => setImmediate(resolve));
      await raise('reject');
      expect(await failed).toMatchObject({ kind: 'unavailable' });
      const again = metadata.write(target(), put('x'));
      while (!isRaising()) await new Promise((resolve) => setImmediate(resolve));
      await raise();
      await again;
      expect(told).toHaveLength(2);
    },
    patienceMs,
  );
});
