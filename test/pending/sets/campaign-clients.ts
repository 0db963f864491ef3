import type { Clock } from '../../../src/common/clock.ts';
import type { ObjectMeta } from '../../../src/common/object-meta.ts';
import { orAbsent, UfsError } from '../../../src/ufs/errors.ts';
import { someBytes, TestBody } from '../../support/upload-body.ts';
import type { CampaignWorld } from './campaign-world.ts';
import { ClientLog, type Outcome } from './client-log.ts';
import { hashOf, type VirtualStoreNode } from './virtual-store-node.ts';

export const keys = ['a', 'b/c', 'd', 'e', 'f/g/h', 'i'];
const giveUpMs = 15_000;

/** Clients that put, delete, read and list through all nodes, and keep their own log. */
export class CampaignClients {
  readonly log = new ClientLog(keys);
  /** What went wrong first. */
  failure: unknown;
  private readonly world: CampaignWorld;
  /** Processes that run. */
  private readonly nodes: () => VirtualStoreNode[];
  private isOver = false;
  private count = 0;
  private underWay = 0;

  constructor(world: CampaignWorld, nodes: () => VirtualStoreNode[]) {
    this.world = world;
    this.nodes = nodes;
  }

  start(): void {
    for (const key of keys) void this.again(1_500, () => this.act(key));
    void this.again(2_000, () => this.list());
  }

  /** Nothing is begun any more. */
  stop(): void {
    this.isOver = true;
  }

  get areQuiet(): boolean {
    return this.underWay === 0;
  }

  /** One thing after the other, with pauses of up to so long. */
  private async again(pauseMs: number, work: () => Promise<void>): Promise<void> {
    const { time, random } = this.world;
    for (;;) {
      await time.sleep(random.next() ** 2 * pauseMs);
      if (this.isOver || this.failure !== undefined) return;
      this.underWay++;
      try {
        await work();
      } catch (error) {
        this.failure ??= error;
      } finally {
        this.underWay--;
      }
    }
  }

  private act(key: string): Promise<void> {
    const what = this.world.random.next();
    if (what < 0.4) return this.read(key);
    return what < 0.5 ? this.upload(key) : this.write(key, what);
  }

  /** The node that a client asks, and the one that carries its change out. */
  private chosen(
    key: string,
  ): { readonly asked: VirtualStoreNode; readonly owner?: VirtualStoreNode } | undefined {
    const all = this.nodes();
    const awake = all.filter(({ machine, life }) => !life.isOver && !machine.isPaused);
    const asked = awake[this.world.below(Math.max(1, awake.length))];
    if (!asked?.machine.node) return undefined;
    const id = asked.machine.ownership.view().metadataOwnerOf(hashOf(key));
    const owner = all.find(({ machine }) => machine.workerId === id);
    const isReached =
      owner === asked || (owner && !owner.machine.isAlone && !asked.machine.isAlone && !owner.life.isOver);
    return isReached ? { asked, owner } : { asked };
  }

  private async write(key: string, what: number): Promise<void> {
    const node = this.chosen(key)?.owner;
    if (!node) return;
    const { world } = this;
    const version = what < 0.85 ? ++this.count : undefined;
    await this.change(node, key, version, ({ backend }) => {
      if (version === undefined) return backend.delete(key);
      const long: Record<string, string> = what > 0.8 ? { long: 'x'.repeat(1_900) } : {};
      const userMetadata = { version: String(version), ...long };
      return backend.put(key, new TestBody(bytesOf(version)), { headers: {}, userMetadata });
    });
    world.loose.delete(key);
  }

  /** In two parts, of which another node may get the second one, and be asked to complete it. */
  private async upload(key: string): Promise<void> {
    const version = ++this.count;
    const bytes = bytesOf(version);
    const half = bytes.length >> 1;
    const userMetadata = { version: String(version) };
    const first = this.chosen(key)?.owner;
    const putting = (node: VirtualStoreNode, id: string, number: number, part: Buffer) =>
      node.backend.putPart(key, id, number, new TestBody(part));
    const beginning = async (node: VirtualStoreNode) => {
      await node.machine.awake(node.life);
      const { uploadId } = await node.backend.createUpload(key, { headers: {}, userMetadata });
      return { uploadId, etag: (await putting(node, uploadId, 1, bytes.subarray(0, half))).etag };
    };
    const begun = first && (await this.inTime(beginning(first).catch(unavailable)));
    if (!begun) return;
    await this.world.time.sleep(this.world.random.next() ** 3 * 4_000);
    const { uploadId } = begun;
    const second = this.chosen(key)?.owner;
    const going = second && putting(second, uploadId, 2, bytes.subarray(half)).catch(unavailable);
    const part = going && (await this.inTime(going));
    const node = this.chosen(key)?.owner;
    if (!part || !node) return;
    const parts = [begun.etag, part.etag].map((etag, i) => ({ partNumber: i + 1, etag, checksums: {} }));
    const outcome = await this.change(node, key, version, ({ backend }) =>
      backend.completeUpload(key, uploadId, parts, {}),
    );
    if (outcome === 'acknowledged') this.world.counts.uploads++;
  }

  private async change(
    node: VirtualStoreNode,
    key: string,
    version: number | undefined,
    work: (node: VirtualStoreNode) => Promise<unknown>,
  ): Promise<Outcome> {
    const { world } = this;
    const began = this.log.begin(key, version);
    const carrying = this.carryOut(node, key, work);
    const came = await this.inTime(carrying);
    if (came === undefined) this.log.givenUp(key, version, carrying);
    const outcome = came ?? 'unknown';
    if (outcome === 'acknowledged') world.counts.acknowledged++;
    if (outcome === 'unknown') world.counts.unknown++;
    began.end(outcome, world.loose.has(version ?? key));
    world.note(`${node.machine.workerId} write ${key} ${version}: ${outcome}`);
    return outcome;
  }

  /** As the node does which owns the object: what its client is told depends on whether it owned it all the while. */
  private async carryOut(
    node: VirtualStoreNode,
    key: string,
    work: (node: VirtualStoreNode) => Promise<unknown>,
  ): Promise<Outcome> {
    const { machine, life } = node;
    await this.world.time.sleep(machine.delayMs());
    await machine.awake(life);
    const { ownership } = machine;
    const hash = hashOf(key);
    for (let looks = 0; looks < 40 && !ownership.mayUseMetadata(hash); looks++) {
      if (!ownership.owns(hash)) return 'none';
      await (machine.clock as Clock).sleep(50);
    }
    const owned = ownership.mayUseMetadata(hash) ? ownership.beginWrite(hash) : undefined;
    if (!owned) return 'none';
    try {
      await work(node);
      return owned.mayAcknowledge() ? 'acknowledged' : 'unknown';
    } catch (error) {
      if (!(error instanceof UfsError)) throw error;
      return 'unknown';
    } finally {
      owned.end();
    }
  }

  private async read(key: string): Promise<void> {
    const chosen = this.chosen(key);
    if (!chosen) return;
    // Past the owner too, as when it cannot be reached.
    const node = chosen.owner && this.world.random.next() < 0.7 ? chosen.owner : chosen.asked;
    const { machine, life, backend } = node;
    const reading = async () => {
      await machine.awake(life);
      const meta = await orAbsent(backend.head(key));
      if (!meta) return { meta };
      const chunks: Buffer[] = [];
      try {
        const range = { start: 0, end: meta.sizeBytes };
        for await (const piece of backend.read(key, meta, range)) chunks.push(piece);
      } catch (error) {
        // Another version is there by now.
        if (error instanceof UfsError) return { meta };
        throw error;
      }
      return { meta, bytes: Buffer.concat(chunks) };
    };
    const found = await this.inTime(reading().catch(unavailable));
    if (!found) return;
    const version = versionOf(found.meta);
    this.world.note(`${machine.workerId} read ${key} ${version}`);
    this.log.judge(key, version, machine.workerId);
    this.world.counts.reads++;
    if (version !== undefined && found.bytes && !found.bytes.equals(bytesOf(version)))
      throw new Error(`${key} has other bytes than version ${version}`);
  }

  private async list(): Promise<void> {
    const node = this.chosen('')?.asked;
    if (!node) return;
    const before = new Map(keys.map((key) => [key, this.log.presence(key)]));
    const page = await this.inTime(node.backend.list({ prefix: '', limit: 100 }).catch(unavailable));
    if (!page) return;
    this.world.counts.lists++;
    const listed = new Set(page.entries.map((entry) => entry.key));
    for (const key of keys)
      this.log.judgeListed(key, listed.has(key), before.get(key), node.machine.workerId);
  }

  /** Undefined where no answer comes in time, or ever. */
  private async inTime<T>(work: Promise<T>): Promise<T | undefined> {
    const over = new AbortController();
    const late = this.world.time.sleep(giveUpMs, over.signal).catch(() => {});
    try {
      return (await Promise.race([work, late])) as T | undefined;
    } finally {
      over.abort();
    }
  }
}

export function versionOf(meta: ObjectMeta | undefined): number | undefined {
  return meta && Number(meta.userMetadata.version);
}

function unavailable(error: unknown): undefined {
  if (!(error instanceof UfsError)) throw error;
}

function bytesOf(version: number): Buffer {
  // Every third version has the bytes, and so the ETag, of another one.
  const same = version % 3 === 0 ? 3 : version;
  return someBytes(same % 5 === 0 ? 70_000 : 40 + same, same);
}
