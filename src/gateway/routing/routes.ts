import type { Ownership, ViewMember } from '../../ring/ownership.ts';
import { hashObject } from '../../ring/ring.ts';
import type { MetadataTarget, RoutedObject } from '../../worker/reader.ts';

type Routed = RoutedObject & Pick<MetadataTarget, 'incarnation' | 'path' | 'versionId'>;

/** The object's place on the ring, which is also that of its versions. Computed once for each request. */
export function hashOf(target: Routed): number {
  target.objectHash ??= hashObject(target.incarnation, pathOf(target));
  return target.objectHash;
}

/** A version lies at its object's path, a NUL and its id (`versionTarget`). */
function pathOf({ path, versionId }: Pick<Routed, 'path' | 'versionId'>): string {
  return versionId === undefined ? path : path.slice(0, -(versionId.length + 1));
}

/** A part of a range that lies in one segment. */
export interface SegmentPart {
  readonly segment: number;
  readonly start: number;
  readonly end: number;
}

/** Who answers for what, by the view that is applied at the moment of asking. */
export class Routes {
  readonly ownership: Ownership;
  readonly segmentBytes: number;

  constructor(ownership: Ownership, segmentBytes: number) {
    this.ownership = ownership;
    this.segmentBytes = segmentBytes;
  }

  /** The other node that owns the object's metadata, or would without some; undefined if it is this one, or nobody. */
  metadataOwner(target: Routed, without?: ReadonlySet<string>): ViewMember | undefined {
    const view = this.ownership.view();
    const owner = view.metadataOwnerOf(hashOf(target), without);
    return owner === undefined || owner === this.ownership.workerId ? undefined : view.member(owner);
  }

  /**
   * The other node that holds a segment's pages, or would without some; undefined if it is this one. Where that one is no member, the
   * metadata's owner reads.
   */
  placementOwner(target: Routed, segment: number, without?: ReadonlySet<string>): ViewMember | undefined {
    const view = this.ownership.view();
    const owner = view.placementOwnerOf(hashOf(target), segment, without);
    if (owner === this.ownership.workerId) return undefined;
    const member = owner === undefined ? undefined : view.member(owner);
    return member ?? this.metadataOwner(target, without);
  }

  /** Where the first segment of a range that begins at `start` ends. */
  segmentEnd(start: number): number {
    return (Math.floor(start / this.segmentBytes) + 1) * this.segmentBytes;
  }

  partsOf({ start, end }: { readonly start: number; readonly end: number }): SegmentPart[] {
    const parts: SegmentPart[] = [];
    for (let at = start; at < end; ) {
      const partEnd = Math.min(end, this.segmentEnd(at));
      parts.push({ segment: Math.floor(at / this.segmentBytes), start: at, end: partEnd });
      at = partEnd;
    }
    return parts;
  }
}
