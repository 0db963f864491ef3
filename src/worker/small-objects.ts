import { ByteText } from '../common/byte-text.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import { pageKeyOf } from './page-key.ts';
import type { ReadTarget } from './reader.ts';
import type { SharedCacheView } from './shared-cache-view.ts';
import type { SharedPageReader } from './shared-page-reader.ts';

/** Answers up to here go out together with their headers, out of one string. */
export const smallObjectBytes = 8 * 1024;
/** Of one thread, beside the pages themselves. */
const keptBytes = 8 * 1024 * 1024;

interface Kept {
  readonly incarnation: string;
  readonly path: string;
  /** Where the page lies. */
  readonly slot: number;
  readonly version: number;
  readonly filledSeconds: number;
  readonly bytes: ByteText;
}

/**
 * Small objects of pages in memory, ready to be written, as one thread reads them: by the metadata that its requests found, so that
 * neither a name has to be made and hashed nor bytes copied. What is given out is what the page has at that moment, as its slot's version
 * tells; it goes with the page, or with the metadata.
 */
export class SmallObjects {
  private readonly view: SharedCacheView;
  private readonly reader: SharedPageReader;
  private readonly maxBytes: number;
  private readonly kept = new Map<ObjectMeta, Kept>();
  private bytes = 0;

  constructor(view: SharedCacheView, reader: SharedPageReader, maxBytes = keptBytes) {
    this.view = view;
    this.reader = reader;
    this.maxBytes = maxBytes;
  }

  /** What is kept, bytes. */
  get usedBytes(): number {
    return this.bytes;
  }

  /** All of the object's bytes, if it is small and its page is in memory. */
  find(target: ReadTarget): ByteText | undefined {
    const { meta } = target;
    if (meta.sizeBytes > smallObjectBytes || meta.sizeBytes > target.pageSizeBytes) return undefined;
    const kept = this.kept.get(meta);
    if (!kept) return this.take(target);
    const { slot, version, path, incarnation } = kept;
    const { notBeforeSeconds } = target;
    const isYoung = notBeforeSeconds === undefined || kept.filledSeconds >= notBeforeSeconds;
    const isOfIt = path === target.path && incarnation === target.incarnation;
    if (isYoung && this.view.isStill(slot, version) && isOfIt) {
      this.view.count(slot);
      return kept.bytes;
    }
    this.forget(meta, kept);
    return this.take(target);
  }

  private take(target: ReadTarget): ByteText | undefined {
    const { meta, path, incarnation } = target;
    const copy = this.reader.readNow(pageKeyOf(target, 0), 0, meta.sizeBytes);
    if (!copy) return undefined;
    const { slot, version, filledSeconds } = this.view;
    const bytes = new ByteText(copy.toString('latin1'));
    this.kept.set(meta, { incarnation, path, slot, version, filledSeconds, bytes });
    this.bytes += bytes.length;
    for (const [oldest, other] of this.kept) {
      if (this.bytes <= this.maxBytes) break;
      this.forget(oldest, other);
    }
    return bytes;
  }

  private forget(meta: ObjectMeta, { bytes }: Kept): void {
    this.kept.delete(meta);
    this.bytes -= bytes.length;
  }
}
