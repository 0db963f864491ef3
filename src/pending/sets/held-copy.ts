import { crc32 } from 'node:zlib';
import { UfsError } from '../../ufs/errors.ts';
import { KeyLock } from '../../ufs/key-lock.ts';
import type { Journal } from '../journal.ts';
import type { PendingEntry } from '../pending-entry.ts';
import type { ChangeHead, StampPair } from '../records.ts';
import { SetRefusal } from './set-peers.ts';
import type { ChangeCopy, KeyStamp } from './set-wire.ts';

/** What a copy holds. */
export interface HeldEntries {
  /** In order of acknowledgement. */
  readonly entries: readonly PendingEntry[];
  /** Changes that may be on their way to the storage without being pending. */
  readonly throughs: readonly PendingEntry[];
}

/** A long body on its way; it is void once something later was said of its key. */
interface Receiving {
  isVoid: boolean;
}

/**
 * A copy of what is pending in a set that another node keeps: of each key the latest change, with its bytes. Nobody is told of it, and
 * nothing of it goes to a storage, before this node keeps the set.
 */
export class HeldCopy {
  readonly setId: string;
  readonly copyId: string;
  readonly journal: Journal;
  readonly #live = new Map<string, PendingEntry>();
  /** What went to the storage without being pending, by stamp. */
  readonly #throughs = new Map<string, PendingEntry>();
  readonly #receiving = new Map<string, Set<Receiving>>();
  readonly #lock = new KeyLock();
  readonly #underWay = new Set<Promise<void>>();
  #last: readonly [number, number] = [0, 0];
  #isFenced = false;

  constructor(setId: string, copyId: string, journal: Journal) {
    this.setId = setId;
    this.copyId = copyId;
    this.journal = journal;
    for (const entry of journal.recovered) if (!entry.isOver) this.#live.set(nameOf(entry.change), entry);
    for (const entry of journal.throughs) this.#throughs.set(String(entry.change.stamp), entry);
  }

  /** Changes it holds. */
  get count(): number {
    return this.#live.size;
  }

  /** Why the node cannot vouch for all that it was given; undefined if it can. */
  get fault(): string | undefined {
    if (this.journal.lost.length > 0) return 'records of the copy cannot be read';
    for (const { isDamaged } of this.#live.values()) if (isDamaged) return 'bytes of the copy cannot be read';
    return undefined;
  }

  /** Everything in a message is durable when this returns. Rejects with `SetRefusal`, or with `FileSystemError`. */
  change({ number, changes, released }: ChangeCopy, bodies: Buffer): Promise<void> {
    this.#admit(number);
    let at = 0;
    const works = changes.map(({ head, bytes }) => {
      const body = bodies.subarray(at, at + bytes);
      at += bytes;
      this.#voidReceiving(head);
      if (body.length !== (head.meta?.sizeBytes ?? 0)) throw new SetRefusal('a body has another length');
      // The message's memory is the network's.
      return () => this.#keep(head, head.meta ? Buffer.from(body) : undefined);
    });
    works.push(...released.map((one) => () => this.#release(one)));
    return this.#track(Promise.all(works.map((work) => work())));
  }

  /** As `change`, of one change whose body is long. `end`: what is said behind the body. */
  async changeStreamed(
    { number, changes }: ChangeCopy,
    body: AsyncIterable<Buffer>,
    end: () => Promise<{ readonly crc32: number }>,
  ): Promise<void> {
    this.#admit(number);
    const head = changes[0]?.head as ChangeHead;
    this.#voidReceiving(head);
    const receiving: Receiving = { isVoid: false };
    const name = nameOf(head);
    const all = this.#receiving.get(name) ?? new Set();
    this.#receiving.set(name, all.add(receiving));
    try {
      let sum = 0;
      async function* summed() {
        for await (const piece of body) {
          sum = crc32(piece, sum);
          yield piece;
        }
      }
      const file = await this.journal.bodies.write(summed(), () => {});
      const isRight = file.sizeBytes === head.meta?.sizeBytes && (await isEnd(end, sum));
      if (!isRight || receiving.isVoid || this.#isFenced) {
        await this.journal.bodies.remove(file.name);
        throw new SetRefusal('the body did not come as it was to be, or is past');
      }
      await this.#track(this.#keep({ ...head, file: file.name }, undefined));
    } finally {
      all.delete(receiving);
      if (all.size === 0) this.#receiving.delete(name);
    }
  }

  /**
   * From now on the copy takes nothing any more, so that nobody else can acknowledge a write in this set. Gives what it holds.
   */
  async fence(): Promise<HeldEntries> {
    this.#isFenced = true;
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    return { entries: [...this.#live.values()].sort(inOrder), throughs: [...this.#throughs.values()] };
  }

  /** The copy turned out to be no other keeper's business. */
  unfence(): void {
    this.#isFenced = false;
  }

  #admit(number: ChangeCopy['number']): void {
    if (this.#isFenced) throw new SetRefusal('another node keeps the set', true);
    if (this.fault !== undefined) throw new SetRefusal(this.fault);
    const [generation, count] = this.#last;
    const isPast = number[0] < generation || (number[0] === generation && number[1] <= count);
    // It was overtaken on its way by one that may have said more.
    if (isPast) throw new SetRefusal('a later message has come before');
    this.#last = number;
  }

  async #track(work: Promise<unknown>): Promise<void> {
    const tracked = work.then(() => undefined);
    this.#underWay.add(tracked);
    try {
      await tracked;
    } finally {
      this.#underWay.delete(tracked);
    }
  }

  #keep(head: ChangeHead, body: Buffer | undefined): Promise<void> {
    const name = nameOf(head);
    return this.#lock.run(name, async () => {
      if (head.type === 'through') {
        const stamp = String(head.stamp);
        if (!this.#throughs.has(stamp)) this.#throughs.set(stamp, await this.journal.take(head));
        return;
      }
      const present = this.#live.get(name);
      if (present && compare(present.change.stamp, head.stamp) >= 0) {
        if (head.file !== undefined) await this.journal.bodies.remove(head.file);
        return;
      }
      const entry = await this.journal.take(head, body);
      this.#live.set(name, entry);
      if (present) this.journal.superseded(present, entry);
    });
  }

  #release(released: KeyStamp): Promise<void> {
    const name = nameOf(released);
    if (!released.through) this.#voidReceiving(released);
    return this.#lock.run(name, async () => {
      if (released.through) {
        const through = this.#throughs.get(String(released.stamp));
        this.#throughs.delete(String(released.stamp));
        if (through) await this.journal.ended(through);
        return;
      }
      const present = this.#live.get(name);
      if (!present || compare(present.change.stamp, released.stamp) > 0) return;
      await this.journal.done(present);
      this.#live.delete(name);
    });
  }

  #voidReceiving(of: Pick<KeyStamp, 'chain' | 'key'>): void {
    for (const receiving of this.#receiving.get(nameOf(of)) ?? []) receiving.isVoid = true;
  }
}

async function isEnd(end: () => Promise<{ readonly crc32: number }>, sum: number): Promise<boolean> {
  try {
    return (await end()).crc32 === sum;
  } catch (cause) {
    throw new UfsError('io', 'the end of a body did not come', { backend: '', cause });
  }
}

export function nameOf({ chain, key }: Pick<KeyStamp, 'chain' | 'key'>): string {
  return `${chain}\0${key}`;
}

export function compare(a: StampPair, b: StampPair): number {
  return a[0] - b[0] || a[1] - b[1];
}

export function inOrder(a: PendingEntry, b: PendingEntry): number {
  return compare(a.change.stamp, b.change.stamp);
}
