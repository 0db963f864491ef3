import type { Duplex } from 'node:stream';
import { frameHeadBytes, writeFrameHead } from './frames.ts';

/** Frames up to here are copied together; what is longer goes out from where it lies. */
const copiedBytes = 16 * 1024;
const blockBytes = 64 * 1024;
/** Above it bodies wait, not messages, of which there is at most a handful for each exchange. */
const highBytes = 512 * 1024;

/**
 * What goes out on a connection. Frames that come about in one turn of the event loop leave in one write: a system call for each small
 * answer would cost more than the answer.
 */
export class FrameOutput {
  private readonly socket: Duplex;
  private block = Buffer.allocUnsafeSlow(blockBytes);
  private start = 0;
  private end = 0;
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  private done: (() => void)[] = [];
  /** With the network, and not taken by it yet. */
  private handedBytes = 0;
  private isPlanned = false;
  private isClosed = false;
  private readonly drained: (() => void)[] = [];
  private readonly planned = () => this.flush();

  constructor(socket: Duplex) {
    this.socket = socket;
  }

  get isFull(): boolean {
    return this.handedBytes + this.waitingBytes + (this.end - this.start) > highBytes;
  }

  /** Resolves when there is room again, or the connection is gone. */
  async room(): Promise<void> {
    while (this.isFull && !this.isClosed) await new Promise<void>((resolve) => this.drained.push(resolve));
  }

  /**
   * Sends a frame whose content `fill` writes behind the head, `length` bytes from the place that it is given. The content is laid out
   * at once.
   */
  frame(
    kind: number,
    exchange: number,
    length: number,
    fill?: (into: Buffer, at: number, end: number) => void,
  ): void {
    if (this.isClosed) return;
    const bytes = frameHeadBytes + length;
    if (bytes > copiedBytes) {
      const own = Buffer.allocUnsafe(bytes);
      const start = writeFrameHead(own, 0, kind, exchange, length);
      fill?.(own, start, bytes);
      this.hand(own);
      return;
    }
    const at = this.place(bytes);
    const start = writeFrameHead(this.block, at, kind, exchange, length);
    fill?.(this.block, start, at + bytes);
  }

  /** Sends bytes of a body. Calls `written` when nobody reads `bytes` any more: at once if they were copied, and also if they are lost. */
  data(kind: number, exchange: number, bytes: Buffer, written: () => void): void {
    if (this.isClosed) {
      written();
      return;
    }
    if (bytes.length <= copiedBytes) {
      const at = this.place(frameHeadBytes + bytes.length);
      bytes.copy(this.block, writeFrameHead(this.block, at, kind, exchange, bytes.length));
      written();
      return;
    }
    const at = this.place(frameHeadBytes);
    writeFrameHead(this.block, at, kind, exchange, bytes.length);
    this.hand(bytes);
    this.done.push(written);
  }

  /** Sends what waits now. */
  flush(): void {
    this.isPlanned = false;
    this.closeRun();
    const buffers = this.waiting;
    if (this.isClosed || buffers.length === 0) return;
    const bytes = this.waitingBytes;
    const { done } = this;
    this.waiting = [];
    this.waitingBytes = 0;
    this.done = [];
    this.handedBytes += bytes;
    const written = () => {
      this.handedBytes -= bytes;
      for (const one of done) one();
      if (!this.isFull) for (const wake of this.drained.splice(0)) wake();
    };
    if (buffers.length > 1) this.socket.cork();
    const last = buffers.length - 1;
    for (let i = 0; i < last; i++) this.socket.write(buffers[i]);
    this.socket.write(buffers[last], written);
    if (buffers.length > 1) this.socket.uncork();
  }

  /** The connection is gone: whoever waits for room, or for bytes to be written, need not wait any more. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const one of this.done.splice(0)) one();
    for (const wake of this.drained.splice(0)) wake();
    this.waiting = [];
    this.block = Buffer.alloc(0);
  }

  /** Room for so many bytes behind what was laid out last. */
  private place(bytes: number): number {
    if (this.end + bytes > blockBytes) {
      this.closeRun();
      this.block = Buffer.allocUnsafeSlow(blockBytes);
      this.start = 0;
      this.end = 0;
    }
    const at = this.end;
    this.end += bytes;
    this.plan();
    return at;
  }

  private hand(bytes: Buffer): void {
    this.closeRun();
    this.waiting.push(bytes);
    this.waitingBytes += bytes.length;
    this.plan();
  }

  /** What was laid out in the block so far is not added to any more. */
  private closeRun(): void {
    if (this.end === this.start) return;
    this.waiting.push(this.block.subarray(this.start, this.end));
    this.waitingBytes += this.end - this.start;
    this.start = this.end;
  }

  private plan(): void {
    if (this.isPlanned) return;
    this.isPlanned = true;
    setImmediate(this.planned);
  }
}
