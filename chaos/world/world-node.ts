import type { TcpProxy } from '../../test/support/tcp-proxy.ts';
import type { NodeProcess } from '../cluster/node-process.ts';
import type { FakeClock } from './fake-clock.ts';

/** A node with what stands between it and the rest of the world. */
export class WorldNode {
  readonly process: NodeProcess;
  readonly etcd: TcpProxy;
  readonly clock: FakeClock;
  /** It comes and goes, and is not missed. */
  readonly isGuest: boolean;
  /** Faults of this node alone that have begun so far. */
  troublesBegun = 0;
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
