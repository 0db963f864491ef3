import type { Asked, Read, SoakClient } from './s3-client.ts';
import { versionedBody } from './versioned-body.ts';

const kib = 1024;
const mib = 1024 * kib;

interface Kind {
  readonly name: string;
  readonly count: number;
  readonly sizeBytes: number;
}

/** Objects that stay as they are. Together they are far larger than the node's cache. */
const kinds = {
  small: { name: 'small', count: 100, sizeBytes: 16 * kib },
  /** Large enough to be sent out of the memory they are kept in. */
  lent: { name: 'lent', count: 20, sizeBytes: 500 * kib },
  scanned: { name: 'scanned', count: 150, sizeBytes: mib },
  large: { name: 'large', count: 3, sizeBytes: 32 * mib },
} as const satisfies Record<string, Kind>;

const changingKeys = 8;
const changingBytes = 3 * mib;
const maxViolations = 20;

/** What clients of all kinds do at once, until they are stopped. */
export class Workload {
  /** What must not be, in words; the first ones. */
  readonly violations: string[] = [];
  readonly counts: Record<string, number> = {};
  private readonly client: SoakClient;
  private readonly random: () => number;
  private readonly changing = Array.from({ length: changingKeys }, () => ({ begun: 0, acknowledged: 0 }));
  private stopped = false;
  private clients: Promise<void>[] = [];

  /** `random`: numbers from 0 to below 1. */
  constructor(client: SoakClient, random: () => number) {
    this.client = client;
    this.random = random;
  }

  async prepare(): Promise<void> {
    for (const kind of Object.values(kinds)) {
      for (let i = 0; i < kind.count; i++) await this.put(keyOf(kind, i), 1, kind.sizeBytes);
    }
    for (let i = 0; i < changingKeys; i++) await this.change(i);
  }

  /** Sets all clients going. */
  begin(): void {
    this.stopped = false;
    const crew: readonly [number, (who: number) => Promise<void>][] = [
      [4, () => this.readHot()],
      [2, (who) => this.scan(who)],
      [2, () => this.readRange()],
      [3, () => this.readSlowly()],
      [4, () => this.vanish()],
      [2, (who) => this.ownKey(who)],
      [1, () => this.change(this.below(changingKeys))],
      [2, () => this.readChanging()],
    ];
    this.clients = crew.flatMap(([count, step]) =>
      Array.from({ length: count }, (_, who) => this.goOn(() => step(who))),
    );
  }

  /** Resolves when every client has come to the end of what it was doing. */
  async rest(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.clients);
    this.client.disconnect();
  }

  private async goOn(step: () => Promise<void>): Promise<void> {
    while (!this.stopped) {
      try {
        await step();
      } catch (error) {
        this.violation(`a request was not answered: ${(error as Error).message}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 2 + this.below(6)));
    }
  }

  private async readHot(): Promise<void> {
    const kind = this.random() < 0.7 ? kinds.small : kinds.lent;
    this.isRight(await this.client.get({ key: keyOf(kind, this.below(kind.count)) }), 'hot');
  }

  private next = [0, 75];

  private async scan(who: number): Promise<void> {
    const at = this.next[who] ?? 0;
    this.next[who] = (at + 1) % kinds.scanned.count;
    this.isRight(await this.client.get({ key: keyOf(kinds.scanned, at) }), 'scan');
  }

  private async readRange(): Promise<void> {
    const { large } = kinds;
    const start = this.below(large.sizeBytes - mib);
    const end = start + 1 + this.below(512 * kib);
    const key = keyOf(large, this.below(large.count));
    this.isRight(await this.client.get({ key, range: { start, end } }), 'range');
  }

  private async readSlowly(): Promise<void> {
    const kind = this.random() < 0.3 ? kinds.large : kinds.lent;
    const pace = { stepBytes: 128 * kib, waitMs: 5 + this.below(30) };
    this.isRight(await this.client.get({ key: keyOf(kind, this.below(kind.count)) }, pace), 'slow');
  }

  private async vanish(): Promise<void> {
    const which = this.random();
    if (which < 0.1) return this.vanishWriting();
    if (which < 0.3) return this.vanishFromMemory();
    const kind = which < 0.45 ? kinds.large : which < 0.7 ? kinds.scanned : kinds.lent;
    const asked: Asked = { key: keyOf(kind, this.below(kind.count)) };
    // Now and then at once, or after the first bytes; else somewhere in it.
    const afterBytes = this.random() < 0.2 ? this.below(2) : this.below(kind.sizeBytes - 1);
    await this.client.vanish(asked, afterBytes, this.random() < 0.5 ? 0 : this.below(200));
    this.count('vanished');
  }

  /** A page that was filled just now is sent out of the memory that it lies in, so often that the network does not take all at once. */
  private async vanishFromMemory(): Promise<void> {
    const key = `fresh-${this.below(1e9)}`;
    await this.put(key, 1, 500_000);
    this.isRight(await this.client.get({ key }), 'fresh');
    // On a busy disk it may take a while until the page is kept in memory; what is asked for again and again stays there then.
    for (let waitMs = 0; waitMs <= 400; waitMs += 100) {
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      await this.client.vanishPipelined({ key }, 24, 50 + this.below(100));
    }
    this.count('vanished from memory');
    await this.client.delete(key);
  }

  private async vanishWriting(): Promise<void> {
    const key = `never-${this.below(20)}`;
    await this.client.vanishWriting(key, versionedBody(key, 0, 200 * kib));
    this.count('vanished writing');
    const read = await this.client.get({ key });
    if (read.kind !== 'absent') this.violation(`${key} is there, though no upload of it came to its end`);
  }

  /** One's own key: what was acknowledged shows at once. */
  private async ownKey(who: number): Promise<void> {
    const key = `own-${who}-${this.below(10)}`;
    const version = this.below(1e9);
    await this.put(key, version, 1 + this.below(600 * kib));
    const read = await this.client.get({ key });
    this.isRight(read, 'own');
    if (read.kind === 'read' && read.version !== version) this.violation(`${key} is not what was put`);
    const status = await this.client.delete(key);
    if (status !== 204) this.violation(`DELETE ${key} was answered ${status}`);
    const after = await this.client.get({ key });
    if (after.kind !== 'absent' && after.kind !== 'refused')
      this.violation(`${key} is there after its DELETE`);
    this.count('deleted');
  }

  private async change(index: number): Promise<void> {
    const key = this.changing[index];
    if (!key) return;
    const version = ++key.begun;
    await this.put(`changing-${index}`, version, changingBytes + version);
    key.acknowledged = version;
    this.count('changed');
  }

  /** Never older than what was acknowledged before, never of two versions; a version that went may cut the answer. */
  private async readChanging(): Promise<void> {
    const index = this.below(changingKeys);
    const least = this.changing[index]?.acknowledged ?? 0;
    const read = await this.client.get({ key: `changing-${index}` });
    if (read.kind === 'cut') return this.count('cut');
    this.isRight(read, 'changing');
    if (read.kind === 'read' && read.version < least) {
      this.violation(`changing-${index} is version ${read.version} after ${least} was acknowledged`);
    }
  }

  private async put(key: string, version: number, sizeBytes: number): Promise<void> {
    const status = await this.client.put(key, version, versionedBody(key, version, sizeBytes));
    if (status !== 200) throw new Error(`PUT ${key} was answered ${status}`);
  }

  private isRight(read: Read, what: string): void {
    if (read.kind === 'read') this.count(`${what} ${read.cache}`);
    else if (read.kind === 'refused') this.count('refused');
    else this.violation(read.kind === 'wrong' ? read.what : `a ${what} read was ${read.kind}`);
  }

  private count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  private violation(text: string): void {
    this.count('violations');
    if (this.violations.length < maxViolations) this.violations.push(text);
  }

  private below(limit: number): number {
    return Math.floor(this.random() * limit);
  }
}

function keyOf({ name }: Kind, index: number): string {
  return `${name}-${index}`;
}
