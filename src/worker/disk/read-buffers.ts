import type { Loans } from '../loans.ts';

/** What long answers read at once; memory for less is of this size too. */
const bufferBytes = 512 * 1024;
/** Less than this is allocated for each read. */
const smallBytes = 64 * 1024;
/** Buffers that wait for the next read: those of eight readers. More than that come and go. */
const maxFree = 16;

/**
 * Memory that reads from a disk go into, used again. Fresh memory for each slice of a long answer costs more than the reading: the
 * pages of it are cleared by the kernel, and the garbage collector, which counts it, goes through the whole heap again and again.
 */
export class ReadBuffers {
  private readonly free: Buffer[] = [];

  get freeCount(): number {
    return this.free.length;
  }

  /** Memory of this length, for the caller to write into. It is of use to others only once `lend` or `giveBack` was called. */
  take(length: number, loans: Loans | undefined): Buffer {
    if (!loans || length < smallBytes || length > bufferBytes) return Buffer.allocUnsafeSlow(length);
    return (this.free.pop() ?? Buffer.allocUnsafeSlow(bufferBytes)).subarray(0, length);
  }

  /** What was taken with these loans is read until they are given back. To be called when nobody writes into it any more. */
  lend(bytes: Buffer, loans: Loans | undefined): void {
    loans?.add(() => this.giveBack(bytes));
  }

  /** Nobody reads or writes what was taken any more. */
  giveBack(bytes: Buffer): void {
    if (bytes.buffer.byteLength !== bufferBytes || this.free.length >= maxFree) return;
    this.free.push(Buffer.from(bytes.buffer, 0, bufferBytes));
  }
}
