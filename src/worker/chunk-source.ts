import type { OpenedObject } from '../ufs/backend.ts';
import type { ReadTarget } from './reader.ts';

/**
 * The bytes of a run of pages as they come, cut where pages end: from whoever kept the pages before, page by page, and from the first
 * byte on that is not to be had there, from the backend. The backend is not asked before a byte is wanted of it, and not at all for what
 * is on its way already.
 */
export class ChunkSource {
  /** Whether the chunk that was taken last came from another node. */
  isHandedOver = false;
  private readonly target: ReadTarget;
  private readonly signal: AbortSignal;
  private readonly opened: OpenedObject | undefined;
  private readonly end: number;
  /** Where what has come so far ends. */
  private at: number;
  private mayAskEarlier: boolean;
  private page: AsyncIterator<Buffer> | undefined;
  private pageEnd = 0;
  private iterator: AsyncIterator<Buffer> | undefined;
  private rest: Buffer | undefined;

  constructor(target: ReadTarget, firstPage: number, endPage: number, signal: AbortSignal) {
    this.target = target;
    this.signal = signal;
    this.at = firstPage * target.pageSizeBytes;
    this.end = Math.min(endPage * target.pageSizeBytes, target.meta.sizeBytes);
    this.opened = target.opened?.take(target.meta.generation, { start: this.at, end: this.end });
    this.mayAskEarlier = target.earlier !== undefined && this.opened === undefined;
  }

  /** Between 1 and `maxBytes` bytes; undefined at the end. */
  async take(maxBytes: number): Promise<Buffer | undefined> {
    while (!this.rest || this.rest.length === 0) {
      const chunk = (await this.handedOver()) ?? (await this.fromBackend());
      if (!chunk) return undefined;
      this.rest = chunk;
    }
    const chunk = this.rest.length > maxBytes ? this.rest.subarray(0, maxBytes) : this.rest;
    this.rest = this.rest.length > maxBytes ? this.rest.subarray(maxBytes) : undefined;
    return chunk;
  }

  async finish(): Promise<void> {
    try {
      await this.page?.return?.();
      await this.iterator?.return?.();
    } catch {
      // The bytes that were wanted are here, or their readers have had the error already.
    }
    this.opened?.close();
  }

  /** One read of the backend gives all that is left from where they end, rather than one for each page that is lacking there. */
  private async handedOver(): Promise<Buffer | undefined> {
    while (this.mayAskEarlier && this.at < this.end) {
      this.page ??= this.earlierPage();
      const piece = await this.page?.next().catch(nothingMore);
      if (piece && !piece.done && this.at + piece.value.length <= this.pageEnd) {
        this.at += piece.value.length;
        this.isHandedOver = true;
        return piece.value;
      }
      this.page = undefined;
      if (this.at < this.pageEnd) this.mayAskEarlier = false;
    }
    return undefined;
  }

  private earlierPage(): AsyncIterator<Buffer> | undefined {
    const { earlier, pageSizeBytes } = this.target;
    this.pageEnd = Math.min(this.end, (Math.floor(this.at / pageSizeBytes) + 1) * pageSizeBytes);
    const range = { start: this.at, end: this.pageEnd };
    return earlier?.read(this.target, range, this.signal)[Symbol.asyncIterator]();
  }

  private async fromBackend(): Promise<Buffer | undefined> {
    this.isHandedOver = false;
    if (!this.iterator) {
      // All of it was handed over.
      if (this.at === this.end) return undefined;
      const { backend, path, meta } = this.target;
      const range = { start: this.at, end: this.end };
      const { opened, signal } = this;
      const chunks = opened ? opened.read(range, { signal }) : backend.read(path, meta, range, { signal });
      this.iterator = chunks[Symbol.asyncIterator]();
    }
    const next = await this.iterator.next();
    return next.done ? undefined : next.value;
  }
}

/** The backend has what is left. */
function nothingMore(): undefined {}
