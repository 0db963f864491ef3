import { describe, expect, test } from '@jest/globals';
import type { Clock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { Journal } from '../../src/pending/journal.ts';
import type { PendingEntry } from '../../src/pending/pending-entry.ts';
import { Disk, type FileNode } from '../support/fault-disk.ts';
import { FaultFileSystem } from '../support/fault-file-system.ts';
import { someBytes } from '../support/upload-body.ts';
import { turn } from '../worker/manual-clock.ts';
import { SeededRandom } from '../worker/seeded.ts';

const settings = { path: '/pending', capacityBytes: 1e9, segmentBytes: 6_000 };
const clock: Clock = { nowMs: () => 0, monotonicMs: () => 0, sleep: () => turn() };
const bodyBytes = 1_000;

function open(fs: FaultFileSystem): Promise<Journal> {
  return Journal.open(fs, clock, new SeededRandom(1), silentLog(), settings);
}

function append(journal: Journal, key: string): Promise<PendingEntry> {
  const meta = { sizeBytes: bodyBytes, etag: 'e', lastModifiedMs: 0, headers: {}, userMetadata: {} };
  const about = { type: 'put', chain: 'memory:', key, atMs: 0, meta } as const;
  return journal.append(about, someBytes(bodyBytes, 1));
}

/** Writes so much that is done at once that segments end, and go. */
async function wear(journal: Journal, times = 30): Promise<void> {
  for (let i = 0; i < times; i++) await journal.done(await append(journal, `worn-${i}`));
  await turn(200);
}

const keysOf = (journal: Journal) => journal.recovered.filter(({ isOver }) => !isOver).map(({ key }) => key);

describe('what a journal writes again', () => {
  /** A change that was written again behind a later one of its key, before that took its place. */
  async function overtaken(fs: FaultFileSystem) {
    const journal = await open(fs);
    const before = await append(journal, 'a');
    // It stays, and so does the segment that both are written to again.
    await append(journal, 'z');
    // Until its segment is about to go.
    const more: PendingEntry[] = [];
    for (let i = 0; i < 12; i++) more.push(await append(journal, `more-${i}`));
    const after = await append(journal, 'a');
    // Copies on other nodes take their time.
    for (const entry of more) await journal.done(entry);
    for (let i = 0; i < 100 && before.segment <= after.segment; i++) await wear(journal, 1);
    expect(before.segment).toBeGreaterThan(after.segment);
    return { journal, before, after };
  }

  /** At whichever step of the disk the power goes, from when the change is done that took its place. */
  async function staysAway(fs: FaultFileSystem, act: () => Promise<unknown>): Promise<void> {
    const acting = act().catch(() => {});
    await Promise.race([acting, fs.stopped]);
    const opened = await open(new FaultFileSystem(fs.disk.afterPowerLoss()));
    const left = keysOf(opened).filter((key) => !key.startsWith('worn'));
    // Until it is done, what took its place is there.
    if (left.length > 1) expect(opened.recovered.find(({ key }) => key === 'a')?.stamp.sequence).toBe(15);
    else expect(left).toEqual(['z']);
  }

  test('does not come back when what took its place is done and forgotten', async () => {
    for (let steps = 0; steps < 60; steps++) {
      const fs = new FaultFileSystem(new Disk());
      const { journal, before, after } = await overtaken(fs);
      journal.superseded(before, after);
      fs.stopAfter(steps);
      await staysAway(fs, async () => {
        await journal.done(after);
        await wear(journal, 3);
      });
    }
  });

  test('does not come back either when the journal was opened again in between', async () => {
    const fs = new FaultFileSystem(new Disk());
    await overtaken(fs);
    for (let steps = 0; steps < 60; steps++) {
      const again = new FaultFileSystem(fs.disk.afterPowerLoss());
      const journal = await open(again);
      expect(keysOf(journal)).toEqual(['z', 'a']);
      again.stopAfter(steps);
      await staysAway(again, async () => {
        await journal.done(journal.recovered[1] as PendingEntry);
        await wear(journal, 3);
      });
    }
  });
});

describe('the last records before a fault', () => {
  test('are known to have been durable when the journal is closed, or idle', async () => {
    for (const isClosed of [true, false]) {
      const fs = new FaultFileSystem(new Disk());
      const journal = await open(fs);
      await append(journal, 'a');
      fs.failAfter(0, 'EIO');
      await expect(append(journal, 'b')).rejects.toMatchObject({ code: 'EIO' });
      if (isClosed) await journal.close();
      else await turn(200);
      const disk = fs.disk.afterPowerLoss();
      for (const path of disk.paths().filter((one) => one.includes('/journal/'))) {
        const file = disk.find(path, false) as FileNode;
        if (file.kind !== 'file') continue;
        const at = file.data.indexOf(someBytes(bodyBytes, 1));
        if (at < 0) continue;
        file.data = Buffer.from(file.data);
        file.data[at + 10] = (file.data[at + 10] as number) ^ 1;
        disk.syncFile(file);
      }
      const opened = await open(new FaultFileSystem(disk));
      expect(opened.recovered.map(({ key, isDamaged }) => [key, isDamaged])).toEqual([['a', true]]);
    }
  });
});
