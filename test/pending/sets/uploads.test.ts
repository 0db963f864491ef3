import { afterEach, describe, expect, test } from '@jest/globals';
import { multipartEtag } from '../../../src/ufs/multipart-rules.ts';
import { someBytes, TestBody } from '../../support/upload-body.ts';
import { SetsUnderTest } from './sets-under-test.ts';
import { hashOf } from './virtual-store-node.ts';

/** The parts of an upload. */
const large = [100_000, 70_000, 3].map((size, i) => someBytes(size, i));
const small = [400, 5, 3].map((size, i) => someBytes(size, i));

describe('uploads in parts on mounts of several nodes whose writes are pending', () => {
  let sets: SetsUnderTest;
  let bodies = large;

  afterEach(async () => {
    bodies = large;
    await sets.cluster.close();
  });

  const whole = () => Buffer.concat(bodies);
  const backend = (i: number) => sets.node(i).backend;
  const create = async (i: number, key: string) =>
    (await sets.passing(backend(i).createUpload(key, { headers: {}, userMetadata: { version: '7' } })))
      .uploadId;
  const putPart = async (i: number, key: string, id: string, number: number) => {
    const body = new TestBody(bodies[number - 1] as Buffer);
    return sets.passing(backend(i).putPart(key, id, number, body));
  };
  const named = (etags: readonly string[]) =>
    etags.map((etag, i) => ({ partNumber: i + 1, etag, checksums: {} }));

  async function putParts(i: number, key: string, id: string, numbers = [1, 2, 3]): Promise<string[]> {
    const etags: string[] = [];
    for (const number of numbers) etags.push((await putPart(i, key, id, number)).etag);
    return etags;
  }

  async function bytesAt(i: number, key: string): Promise<Buffer> {
    const meta = await sets.passing(backend(i).head(key));
    const pieces: Buffer[] = [];
    const read = async () => {
      for await (const piece of backend(i).read(key, meta, { start: 0, end: meta.sizeBytes }))
        pieces.push(piece);
    };
    await sets.passing(read());
    return Buffer.concat(pieces);
  }

  const etagOf = (etags: readonly string[]) =>
    multipartEtag(
      etags.map((etag, i) => ({ partNumber: i + 1, etag, sizeBytes: 0, lastModifiedMs: 0, checksums: {} })),
    );
  const held = (i: number) => sets.node(i).kept.reduce((sum, { journal }) => sum + journal.uploads.count, 0);

  const outcomeOf = (work: Promise<unknown>) =>
    work.then(
      () => 'ok',
      (error: { kind: string }) => error.kind,
    );
  const rows = async () =>
    (await sets.passing(sets.cluster.store.list('pending/uploads/'))).entries.map(
      ({ value }) => (JSON.parse(value) as { movedTo: string }).movedTo,
    );

  /** The storage has been tried, and is away from now on. */
  async function startWithoutStorage(count = 3): Promise<void> {
    sets = await SetsUnderTest.start(count);
    for (let i = 0; i < count; i++) {
      const key = sets.keyOf(i, 'try');
      const id = await create(i, key);
      await sets.passing(backend(i).abortUpload(key, id));
    }
    sets.world.isStorageAway = true;
  }

  test('are acknowledged while the storage is away, and seen through every node at once', async () => {
    await startWithoutStorage();
    const key = sets.keyOf(0);
    const id = await create(0, key);
    const etags = await putParts(0, key, id);
    const made = await sets.passing(backend(0).completeUpload(key, id, named(etags), {}));
    expect([made.sizeBytes, made.etag]).toEqual([whole().length, etagOf(etags)]);
    sets.world.isStorageAway = false;
    for (const i of [0, 1, 2]) expect((await bytesAt(i, key)).equals(whole())).toBe(true);
    await sets.passing(sets.node(0).sets.flush(20_000));
    const stored = await sets.passing(sets.world.storage.head(key));
    expect([stored.etag, stored.sizeBytes]).toEqual([etagOf(etags), whole().length]);
    expect(held(0)).toBe(0);
  });

  test.each([
    ['long', large],
    ['short', small],
  ])('are not lost with the node that acknowledged them: %s', async (_, parts) => {
    bodies = parts;
    await startWithoutStorage();
    const key = sets.keyOf(0);
    const id = await create(0, key);
    const etags = await putParts(0, key, id);
    await sets.passing(backend(0).completeUpload(key, id, named(etags), {}));
    sets.kill(0, true);
    sets.world.isStorageAway = false;
    await sets.taken();
    expect(await sets.seen(1, key)).toBe('7');
    expect((await bytesAt(1, key)).equals(whole())).toBe(true);
    expect((await bytesAt(2, key)).equals(whole())).toBe(true);
    for (const i of [1, 2]) await sets.passing(sets.node(i).sets.flush(60_000));
    const stored = await sets.passing(sets.world.storage.head(key));
    expect([stored.etag, stored.sizeBytes]).toEqual([etagOf(etags), whole().length]);
  });

  test('go on at the storage where another node owns the object by then', async () => {
    sets = await SetsUnderTest.start(2, {}, 3);
    const before = new Map<string, { id: string; etag: string }>();
    for (let n = 0; n < 12; n++) {
      const key = `move-${n}-`;
      const i = sets.ownerOf(key);
      const id = await create(i, key);
      before.set(key, { id, etag: (await putPart(i, key, id, 1)).etag });
    }
    await sets.open(2);
    await sets.settled();
    let moved = 0;
    for (const [key, { id, etag }] of before) {
      const i = sets.ownerOf(key);
      moved += i === 2 ? 1 : 0;
      for (const other of [0, 1, 2]) {
        const { parts, upload } = await sets.passing(backend(other).listParts(key, id, { limit: 10 }));
        expect([upload.uploadId, parts.map((part) => part.etag)]).toEqual([id, [etag]]);
      }
      const etags = [etag, ...(await putParts(i, key, id, [2, 3]))];
      const page = await sets.passing(backend(1).listUploads({ prefix: key, limit: 10 }));
      expect(page.entries.map((entry) => entry.kind === 'upload' && entry.upload.uploadId)).toEqual([id]);
      const made = await sets.passing(backend(i).completeUpload(key, id, named(etags), {}));
      expect(made.etag).toBe(etagOf(etags));
      // One that is repeated succeeds.
      const again = await sets.passing(backend(i).completeUpload(key, id, named(etags), {}));
      expect(again.etag).toBe(made.etag);
      expect((await bytesAt(0, key)).equals(whole())).toBe(true);
    }
    expect(moved).toBeGreaterThan(0);
    expect([0, 1, 2].map(held)).toEqual([0, 0, 0]);
    expect((await sets.passing(backend(0).listUploads({ prefix: '', limit: 10 }))).entries).toEqual([]);
  });

  test('go on where the node that has their parts ends, or is started anew', async () => {
    sets = await SetsUnderTest.start(3);
    const key = sets.keyOf(0);
    const id = await create(0, key);
    const first = (await putPart(0, key, id, 1)).etag;
    await sets.passing(sets.node(0).sets.flush(5_000));
    expect(held(0)).toBe(0);
    sets.kill(0, true);
    await sets.taken();
    await sets.until(() => sets.ownerOf(key) !== 0);
    const i = sets.ownerOf(key);
    await sets.seen(i, key);
    const etags = [first, ...(await putParts(i, key, id, [2, 3]))];
    await sets.passing(backend(i).completeUpload(key, id, named(etags), {}));
    expect((await bytesAt(i, key)).equals(whole())).toBe(true);
  });

  test('go on at the storage when their node was started anew', async () => {
    await startWithoutStorage();
    const key = sets.keyOf(0);
    const id = await create(0, key);
    const etags = await putParts(0, key, id, [1, 2]);
    sets.kill(0);
    await sets.open(0);
    await sets.settled();
    await sets.until(() => sets.ownerOf(key) === 0);
    await sets.pass(5_000);
    expect(held(0)).toBe(1);
    sets.world.isStorageAway = false;
    etags.push((await putPart(0, key, id, 3)).etag);
    await sets.until(() => held(0) === 0);
    await sets.passing(backend(0).completeUpload(key, id, named(etags), {}));
    expect((await bytesAt(1, key)).equals(whole())).toBe(true);
  });

  test('are completed though the copies come late, so that their client is told nothing', async () => {
    await startWithoutStorage();
    const key = sets.keyOf(0);
    const id = await create(0, key);
    const etags = await putParts(0, key, id);
    sets.links.apart = [0, 1, 2].map((i) => sets.machine(i).workerId);
    const completing = backend(0).completeUpload(key, id, named(etags), {});
    await expect(sets.passing(completing)).rejects.toMatchObject({ unresolved: true });
    expect(held(0)).toBe(0);
    sets.links.apart = [];
    await sets.until(() => sets.node(0).appeared.length > 0);
    const made = await sets.passing(backend(0).completeUpload(key, id, named(etags), {}));
    expect(made.etag).toBe(etagOf(etags));
    expect((await bytesAt(0, key)).equals(whole())).toBe(true);
    expect(held(0)).toBe(0);
  });

  test('are given up when nothing was done with them for long, and forgotten where they went', async () => {
    sets = await SetsUnderTest.start(2, { maxUploadIdleMs: 8_000 });
    const [idle, gone] = [sets.keyOf(0, 'idle'), sets.keyOf(0, 'gone')];
    const movedId = await create(0, gone);
    await putPart(0, gone, movedId, 1);
    await sets.passing(sets.node(0).sets.flush(5_000));
    const id = await create(0, idle);
    await putPart(0, idle, id, 1);
    expect([held(0), (await rows()).length]).toEqual([1, 1]);
    await sets.pass(14_000);
    // The storage sees to its own.
    expect([held(0), (await rows()).length]).toEqual([0, 1]);
    await expect(putPart(0, idle, id, 2)).rejects.toMatchObject({ kind: 'no-such-upload' });
    const [movedTo = ''] = await rows();
    await sets.passing(sets.world.storage.abortUpload(gone, movedTo));
    await sets.pass(4_000);
    expect(await rows()).toEqual([]);
  });

  test('say that there is no such upload where its parts went with their node, and end when they are told to', async () => {
    sets = await SetsUnderTest.start(3);
    const key = sets.keyOf(0);
    const lost = await create(0, key);
    await putPart(0, key, lost, 1);
    const ended = await create(1, sets.keyOf(1));
    await putPart(1, sets.keyOf(1), ended, 1);
    await sets.passing(backend(2).abortUpload(sets.keyOf(1), ended));
    expect(held(1)).toBe(0);
    await expect(putPart(1, sets.keyOf(1), ended, 2)).rejects.toMatchObject({ kind: 'no-such-upload' });
    sets.kill(0, true);
    await sets.taken();
    await sets.seen(1, key);
    const i = sets.ownerOf(key);
    await expect(putPart(i, key, lost, 2)).rejects.toMatchObject({ kind: 'no-such-upload' });
    await expect(
      sets.passing(backend(i).completeUpload(key, lost, named(['0'.repeat(32)]), {})),
    ).rejects.toMatchObject({ kind: 'no-such-upload' });
  });

  test('are found completed by who asks again while the copies do not have them yet', async () => {
    await startWithoutStorage();
    const key = sets.keyOf(0);
    const id = await create(0, key);
    const etags = await putParts(0, key, id);
    const complete = () => outcomeOf(backend(0).completeUpload(key, id, named(etags), {}));
    sets.links.apart = [0, 1, 2].map((i) => sets.machine(i).workerId);
    const first = complete();
    await sets.until(() => held(0) === 0);
    sets.links.apart = [];
    const second = complete();
    sets.world.isStorageAway = false;
    expect(await sets.passing(Promise.all([first, second]))).toEqual(['ok', 'ok']);
  });

  test('do not come to the storage from a node that does not keep them any more when its parts are there', async () => {
    sets = await SetsUnderTest.start(3);
    const key = sets.keyOf(0);
    const id = await create(0, key);
    const etags = await putParts(0, key, id, [1]);
    await sets.passing(backend(0).completeUpload(key, id, named(etags), {}));
    const { storage, time } = sets.world;
    const putPartThere = storage.putPart.bind(storage);
    let slowId: string | undefined;
    storage.putPart = async (...given) => {
      slowId ??= given[1];
      if (given[1] === slowId) await time.sleep(40_000);
      return putPartThere(...given);
    };
    void sets
      .node(0)
      .sets.flush(600_000)
      .catch(() => {});
    await sets.until(() => slowId !== undefined);
    const machine = sets.machine(0);
    machine.isCutOff = true;
    machine.isAlone = true;
    sets.links.apart = [machine.workerId];
    await sets.taken({ without: 0 });
    await sets.pass(3_000);
    const flush = async () => {
      for (const i of [1, 2]) await sets.passing(sets.node(i).sets.flush(30_000));
    };
    await flush();
    expect(await sets.stored(key)).toBe('7');
    const owner = [1, 2].find((i) => sets.machine(i).ownership.owns(hashOf(key))) as number;
    await sets.passing(backend(owner).delete(key));
    await flush();
    await sets.pass(150_000);
    expect(await sets.stored(key)).toBeUndefined();
  });

  test('are not listed any more when the storage has no such upload', async () => {
    sets = await SetsUnderTest.start(2);
    const key = sets.keyOf(0);
    const id = await create(0, key);
    await putPart(0, key, id, 1);
    await sets.passing(sets.node(0).sets.flush(5_000));
    const [movedTo = ''] = await rows();
    await sets.passing(sets.world.storage.abortUpload(key, movedTo));
    expect(await sets.passing(outcomeOf(backend(0).abortUpload(key, id)))).toBe('no-such-upload');
    expect((await sets.passing(backend(0).listUploads({ prefix: '', limit: 10 }))).entries).toEqual([]);
    expect(await rows()).toEqual([]);
  });

  test.each([0, 20, 400, 2000])(
    'end though they are moving to the storage, for %i ms by then',
    async (ms) => {
      sets = await SetsUnderTest.start(2);
      const key = sets.keyOf(0);
      const id = await create(0, key);
      await putPart(0, key, id, 1);
      const flushing = sets.node(0).sets.flush(5_000);
      await sets.pass(ms);
      const aborting = outcomeOf(backend(1).abortUpload(key, id));
      await sets.passing(flushing);
      expect(await sets.passing(aborting)).toBe('ok');
      await sets.pass(5_000);
      const stored = await sets.passing(sets.world.storage.listUploads({ prefix: '', limit: 10 }));
      expect([await rows(), stored.entries]).toEqual([[], []]);
    },
  );

  test('are in use while their parts go to the storage for want of room', async () => {
    sets = await SetsUnderTest.start(2, { maxUploadIdleMs: 8_000, whenFull: 'through' });
    const key = sets.keyOf(0);
    const id = await create(0, key);
    const etags = await putParts(0, key, id, [1]);
    const { journal } = sets.setOf(0);
    const reserve = journal.reserve.bind(journal);
    journal.reserve = () => false;
    for (const number of [2, 3]) {
      await sets.pass(6_000);
      etags.push((await putPart(0, key, id, number)).etag);
    }
    journal.reserve = reserve;
    await sets.pass(6_000);
    const made = await sets.passing(backend(0).completeUpload(key, id, named(etags), {}));
    expect(made.etag).toBe(etagOf(etags));
  });

  test('end once, though it has to be asked again whether they have', async () => {
    sets = await SetsUnderTest.start(3);
    const key = sets.keyOf(0);
    const id = await create(0, key);
    await putPart(0, key, id, 1);
    sets.links.apart = [1, 2].map((i) => sets.machine(i).workerId);
    const aborting = outcomeOf(backend(2).abortUpload(key, id));
    await sets.until(() => held(0) === 0);
    await sets.pass(60);
    sets.links.apart = [];
    expect(await sets.passing(aborting)).toBe('ok');
  });
});
