import type { ByteRange } from '../common/byte-range.ts';
import { Ghost } from './ghost.ts';
import type { Missing, ReadTarget } from './reader.ts';

/** Reads that are remembered to notice a second one, about. */
const rememberedReads = 65_536;

/** Decides by policies whether what a reader lacks is kept, once it was read. */
export class KeepRule {
  private readonly windowBytes: number;
  /** Where reads began that nothing was kept of, as far back as the cache itself goes. Made when it is first needed. */
  private seen: Ghost | undefined;

  /** `windowBytes`: of the cache. */
  constructor(windowBytes: number) {
    this.windowBytes = windowBytes;
  }

  /** True if pages of the object are never to be used or kept. */
  isNever({ policy, path, meta }: ReadTarget): boolean {
    return policy !== undefined && policy.keeps(path, meta.sizeBytes) === 'never';
  }

  /**
   * What becomes of pages that a reader lacks, to be asked once for each read: `fill` turns into `bypass` where a read is the first of its kind
   * and only second ones count. Reads are of one kind that begin at the same byte of the same version.
   */
  missing(target: ReadTarget, range: ByteRange, missing: Missing): Missing {
    const { policy, path, meta } = target;
    if (policy === undefined || missing !== 'fill') return missing;
    if (policy.keeps(path, meta.sizeBytes) !== 'second-read') return missing;
    this.seen ??= new Ghost({ windowBytes: Math.max(1, this.windowBytes), entries: rememberedReads });
    const name = fingerprintOf(`${target.incarnation}\0${meta.generation}\0${range.start}\0${path}`);
    if (this.seen.take(name)) return 'fill';
    this.seen.remember(name, range.end - range.start);
    return 'bypass';
  }
}

/** 32 well mixed bits: FNV-1a, and the finalizer of MurmurHash3. */
function fingerprintOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
