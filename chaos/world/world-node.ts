import { setTimeout as sleep } from 'node:timers/promises';
import type { TcpProxy } from '../../test/support/tcp-proxy.ts';
import type { NodeProcess } from '../cluster/node-process.ts';
import type { FakeClock } from './fake-clock.ts';

/** Of a node until it is ready. */
const maxStarts = 20;

/** A node with what stands between it and the rest of the world. */
export class WorldNode {
  readonly process: NodeProcess;
  readonly etcd: TcpProxy;
  readonly clock: FakeClock;
  /** It comes and goes, and is not missed. */
  readonly isGuest: boolean;
  /** Faults of this node alone that have begun so far. */
  troublesBegun = 0;
  /** Starts that ended before the node was ready. */
  failedStarts = 0;
  /** A fault is at work that wants no other beside it. */
  isHeld = false;
  private troubles = 0;

  constructor(process: NodeProcess, etcd: TcpProxy, clock: FakeClock, isGuest: boolean) {
    this.process = process;
    this.etcd = etcd;
    this.clock = clock;
    this.isGuest = isGuest;
  }

  get name(): string {
    return this.process.place.name;
  }

  get peerPort(): number {
    return this.process.place.peerPort;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** Nothing is done to it, so that it has to answer. */
  get isWell(): boolean {
    return this.troubles === 0 && this.process.isAlive;
  }

  /**
   * Starts it, again where it ended before it was ready, as whoever looks after a node does: etcd may have gone away in between. Rejects if it
   * never is.
   */
  async start(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.process.start();
        return;
      } catch (error) {
        if (attempt === maxStarts) throw error;
        this.failedStarts += 1;
      }
      await sleep(500);
    }
  }

  /** Runs a fault of this node: meanwhile nobody can demand that it answers. */
  async trouble(fault: () => Promise<void>): Promise<void> {
    this.troublesBegun += 1;
    this.troubles += 1;
    try {
      await fault();
    } finally {
      this.troubles -= 1;
    }
  }
}
