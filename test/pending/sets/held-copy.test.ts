import { crc32 } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { systemClock } from '../../../src/common/clock.ts';
import { silentLog } from '../../../src/common/log.ts';
import { systemRandom } from '../../../src/common/random.ts';
import type { ChangeHead, StampPair } from '../../../src/pending/records.ts';
import { HeldCopy } from '../../../src/pending/sets/held-copy.ts';
import { SetFolder } from '../../../src/pending/sets/set-folder.ts';
import type { ChangeCopy } from '../../../src/pending/sets/set-wire.ts';
import { Disk } from '../../support/fault-disk.ts';
import { FaultFileSystem } from '../../support/fault-file-system.ts';
import { someBytes } from '../../support/upload-body.ts';

const name = { setId: systemRandom.uuid(), copyId: systemRandom.uuid() };

function emptyDisk(): Disk {
  const disk = new Disk();
  disk.addEntry('/node', disk.newDirectory());
  disk.syncDirectory(disk.root);
  return disk;
}

async function openCopy(disk: Disk): Promise<HeldCopy> {
  const about = { path: '/node/sets', capacityBytes: 1e9, origin: 'cluster' };
  const folder = new SetFolder(new FaultFileSystem(disk), systemClock, systemRandom, silentLog(), about);
  await folder.names();
  return new HeldCopy(name.setId, name.copyId, await folder.open(name));
}

function headOf(key: string, stamp: StampPair, sizeBytes: number): ChangeHead {
  const meta = { sizeBytes, etag: 'e', lastModifiedMs: 1, headers: {}, userMetadata: {} };
  return { type: 'put', chain: 'place', key, stamp, atMs: 1, meta };
}

let count = 0;
function message(changes: readonly ChangeHead[], released: ChangeCopy['released'] = []): ChangeCopy {
  return {
    op: 'pending',
    sentMs: 0,
    ask: 'change',
    copyId: name.copyId,
    number: [1, ++count],
    changes: changes.map((head) => ({ head, bytes: head.meta?.sizeBytes ?? 0 })),
    released,
  };
}

const released = (key: string, stamp: StampPair) => ({ chain: 'place', key, stamp });

async function store(copy: HeldCopy, key: string, stamp: StampPair, body: Buffer): Promise<void> {
  await copy.change(message([headOf(key, stamp, body.length)]), body);
}

/** What a copy holds: of each key the stamp and the bytes. */
async function held(copy: HeldCopy) {
  const { entries } = await copy.fence();
  const found: Record<string, readonly [string, string]> = {};
  for (const entry of entries) {
    const range = { start: 0, end: entry.change.meta?.sizeBytes ?? 0 };
    const chunks: Buffer[] = [];
    for await (const chunk of copy.journal.read(entry, range, () => {})) chunks.push(chunk);
    found[entry.key] = [entry.change.stamp.join('.'), Buffer.concat(chunks).toString('hex').slice(0, 16)];
  }
  return found;
}

const hex = (bytes: Buffer) => bytes.toString('hex').slice(0, 16);

async function* piecesOf(body: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += 10_000) yield body.subarray(at, at + 10_000);
}

describe('a copy of what is pending at another node', () => {
  test('has what it says that it has, and has let go what it says, also when the power goes at that moment', async () => {
    const disk = emptyDisk();
    const copy = await openCopy(disk);
    const [small, long] = [someBytes(100, 1), someBytes(200_000, 2)];
    await store(copy, 'small', [1, 1], small);
    expect(await held(await openCopy(disk.afterPowerLoss()))).toEqual({ small: ['1.1', hex(small)] });
    const end = async () => ({ crc32: crc32(long) });
    await copy.changeStreamed(message([headOf('long', [1, 2], long.length)]), piecesOf(long), end);
    expect(await held(await openCopy(disk.afterPowerLoss()))).toEqual({
      small: ['1.1', hex(small)],
      long: ['1.2', hex(long)],
    });
    await copy.change(message([], [released('small', [1, 1])]), Buffer.alloc(0));
    expect(await held(await openCopy(disk.afterPowerLoss()))).toEqual({ long: ['1.2', hex(long)] });
  });

  test('keeps the latest change of a key, in whatever order they come', async () => {
    const copy = await openCopy(emptyDisk());
    const [first, second] = [someBytes(50, 1), someBytes(60, 2)];
    await store(copy, 'k', [1, 5], second);
    await store(copy, 'k', [1, 5], second);
    await store(copy, 'k', [1, 4], first);
    await store(copy, 'other', [2, 1], first);
    await store(copy, 'other', [2, 2], second);
    expect(await held(copy)).toEqual({ k: ['1.5', hex(second)], other: ['2.2', hex(second)] });
  });

  test('lets go what is as early as it is told, and nothing later', async () => {
    const copy = await openCopy(emptyDisk());
    const body = someBytes(50, 1);
    await store(copy, 'k', [1, 5], body);
    await copy.change(message([], [released('k', [1, 4])]), Buffer.alloc(0));
    await store(copy, 'gone', [1, 6], body);
    await copy.change(message([], [released('gone', [1, 7])]), Buffer.alloc(0));
    expect(await held(copy)).toEqual({ k: ['1.5', hex(body)] });
  });

  test('takes nothing from its keeper any more once another node keeps the set', async () => {
    const copy = await openCopy(emptyDisk());
    const body = someBytes(50, 1);
    const underWay = store(copy, 'k', [1, 1], body);
    const { entries } = await copy.fence();
    await underWay;
    // What was acknowledged in the end is there, and nothing can be any more.
    expect(entries.map(({ key }) => key)).toEqual(['k']);
    expect(() => copy.change(message([headOf('late', [1, 2], 0)]), Buffer.alloc(0))).toThrow(
      expect.objectContaining({ isFenced: true }),
    );
    const long = someBytes(200_000, 2);
    const late = copy.changeStreamed(
      message([headOf('l', [1, 3], long.length)]),
      piecesOf(long),
      async () => ({
        crc32: crc32(long),
      }),
    );
    await expect(late).rejects.toMatchObject({ isFenced: true });
  });

  test('a message that was overtaken by a later one changes nothing', async () => {
    const copy = await openCopy(emptyDisk());
    const body = someBytes(50, 1);
    const early = message([headOf('k', [1, 1], body.length)]);
    await store(copy, 'k', [1, 1], body);
    await copy.change(message([], [released('k', [1, 1])]), Buffer.alloc(0));
    expect(() => copy.change(early, body)).toThrow('a later message has come before');
    expect(await held(copy)).toEqual({});
  });

  test('a long body that was under way when its change was let go is dropped', async () => {
    const copy = await openCopy(emptyDisk());
    const long = someBytes(200_000, 2);
    const { promise: isReleased, resolve: release } = Promise.withResolvers<void>();
    const end = async () => {
      await isReleased;
      return { crc32: crc32(long) };
    };
    const coming = copy.changeStreamed(message([headOf('l', [1, 3], long.length)]), piecesOf(long), end);
    await copy.change(message([], [released('l', [1, 3])]), Buffer.alloc(0));
    release();
    await expect(coming).rejects.toThrow('is past');
    expect(await held(copy)).toEqual({});
  });

  test('a long body that was altered on its way is refused', async () => {
    const copy = await openCopy(emptyDisk());
    const long = someBytes(200_000, 2);
    const wrong = async () => ({ crc32: crc32(long) ^ 1 });
    const coming = copy.changeStreamed(message([headOf('l', [1, 3], long.length)]), piecesOf(long), wrong);
    await expect(coming).rejects.toThrow('did not come as it was to be');
    expect(await held(copy)).toEqual({});
  });

  test('changes that went past it to the storage stay apart from those that are pending', async () => {
    const disk = emptyDisk();
    const copy = await openCopy(disk);
    const body = someBytes(50, 1);
    const through = { type: 'through', chain: 'place', key: 'k', stamp: [1, 1], atMs: 1 } as const;
    await copy.change(message([through]), Buffer.alloc(0));
    await store(copy, 'k', [1, 2], body);
    const again = await openCopy(disk.afterPowerLoss());
    const { entries, throughs } = await again.fence();
    expect([entries.map(({ name: one }) => one), throughs.map(({ name: one }) => one)]).toEqual([
      ['cluster.1.2'],
      ['cluster.1.1'],
    ]);
    await copy.change(message([], [{ ...released('k', [1, 1]), through: true }]), Buffer.alloc(0));
    const { entries: left, throughs: none } = await copy.fence();
    expect([left.length, none.length]).toEqual([1, 0]);
  });
});
