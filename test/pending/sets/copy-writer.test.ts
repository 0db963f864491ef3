import { describe, expect, test } from '@jest/globals';
import { silentLog } from '../../../src/common/log.ts';
import { systemRandom } from '../../../src/common/random.ts';
import { Journal } from '../../../src/pending/journal.ts';
import type { PendingEntry } from '../../../src/pending/pending-entry.ts';
import { CopyWriter } from '../../../src/pending/sets/copy-writer.ts';
import { HeldCopy } from '../../../src/pending/sets/held-copy.ts';
import { KeptSets } from '../../../src/pending/sets/kept-sets.ts';
import { SetAnswers } from '../../../src/pending/sets/set-answers.ts';
import { SetPeers } from '../../../src/pending/sets/set-peers.ts';
import type { SetQuestion } from '../../../src/pending/sets/set-wire.ts';
import { VirtualCluster } from '../../ring/virtual-cluster.ts';
import { address } from '../../ring/virtual-node.ts';
import { Disk } from '../../support/fault-disk.ts';
import { FaultFileSystem } from '../../support/fault-file-system.ts';
import { VirtualLinks } from './virtual-links.ts';

/** A journal on one machine, and a copy of it on another. */
class CopyUnderTest {
  readonly cluster = new VirtualCluster(2);
  readonly links = new VirtualLinks(this.cluster.time, this.cluster.machines);
  readonly journal: Journal;
  readonly copy: HeldCopy;
  readonly #peers: SetPeers;
  #count = 0;

  private constructor(journal: Journal, copy: HeldCopy) {
    this.journal = journal;
    this.copy = copy;
    const [keeper, holder] = this.cluster.machines;
    if (!keeper || !holder) throw new Error('there are two machines');
    for (const machine of [keeper, holder]) machine.presentLife = { isOver: false };
    const duties = {
      kept: new KeptSets(this.cluster.time),
      uploads: { answer: async () => ({ sets: [] }) },
      copy: () => copy,
      openCopy: async () => {},
      knows: () => true,
      hasCopy: () => true,
    };
    const answers = new SetAnswers(silentLog(), duties);
    this.links.answers.set(holder.workerId, {
      life: holder.presentLife,
      answer: (request, exchange) => answers.answer(JSON.parse(request.toString()) as SetQuestion, exchange),
    });
    this.#peers = new SetPeers(this.cluster.time, this.links.from(keeper));
  }

  static async open(): Promise<CopyUnderTest> {
    const journals: Journal[] = [];
    for (let i = 0; i < 2; i++) {
      const disk = new Disk();
      disk.addEntry('/node', disk.newDirectory());
      const about = { path: '/node/journal', capacityBytes: 1e9, segmentBytes: 1e6, origin: 'cluster' };
      const clock = new VirtualCluster(1).time;
      journals.push(await Journal.open(new FaultFileSystem(disk), clock, systemRandom, silentLog(), about));
    }
    const [own, others] = journals as [Journal, Journal];
    return new CopyUnderTest(own, new HeldCopy('set', 'copy', others));
  }

  writer(): CopyWriter {
    const [, holder] = this.cluster.machines;
    const workerId = holder?.workerId ?? '';
    const to = { ...address, workerId, incarnation: '1', peerPort: 1, state: 'joined' };
    return new CopyWriter(
      this.cluster.time,
      silentLog(),
      this.#peers,
      this.journal,
      { workerId, copyId: 'copy' },
      {
        address: () => to,
        number: () => [1, ++this.#count],
      },
    );
  }

  /** A deletion, since it has no bytes that could not be had any more. */
  deletion(key: string): Promise<PendingEntry> {
    return this.journal.append({ type: 'delete', chain: 'place', key, atMs: 1 });
  }
}

describe('what keeps a copy like the journal', () => {
  test('brings there what is to be stored, and takes away what is to go', async () => {
    const test = await CopyUnderTest.open();
    const [writer, entry] = [test.writer(), await test.deletion('a')];
    await test.cluster.passing(writer.store(entry));
    expect(test.copy.count).toBe(1);
    await test.cluster.passing(writer.release(entry));
    expect(test.copy.count).toBe(0);
  });

  test('brings nothing there that is to be gone', async () => {
    const test = await CopyUnderTest.open();
    const [writer, entry, over] = [test.writer(), await test.deletion('a'), await test.deletion('b')];
    await test.cluster.passing(writer.release(entry));
    // As to a copy that takes another's place meanwhile.
    await test.cluster.passing(writer.store(entry));
    await test.journal.done(over);
    await test.cluster.passing(writer.store(over));
    expect(test.copy.count).toBe(0);
  });

  test('has one message on its way for each change, so that none comes after it is gone', async () => {
    const test = await CopyUnderTest.open();
    const [writer, entry] = [test.writer(), await test.deletion('a')];
    const [first, second] = [writer.store(entry), writer.store(entry)];
    const released = writer.release(entry);
    await test.cluster.passing(Promise.all([first, second, released]));
    expect(test.copy.count).toBe(0);
    expect(first).toBe(second);
  });

  test('is not overtaken by what another one sent before it', async () => {
    const test = await CopyUnderTest.open();
    const [keeper] = test.cluster.machines;
    const [before, entry] = [test.writer(), await test.deletion('a')];
    const after = test.writer();
    // The first one's message takes a second.
    if (keeper) keeper.delayMs = () => 1_000;
    before.store(entry).catch(() => {});
    await test.cluster.time.pass(1_500);
    before.end();
    if (keeper) keeper.delayMs = () => 1;
    await test.cluster.passing(after.release(entry));
    await test.cluster.time.pass(5_000);
    expect(test.copy.count).toBe(0);
  });
});
