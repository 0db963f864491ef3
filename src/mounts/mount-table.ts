import { compareUtf8 } from '../common/utf8-order.ts';
import type { Location, Mount } from './mount.ts';

/** The mounts of one bucket, longest prefix first. */
interface BucketMounts {
  readonly all: readonly Mount[];
  readonly nested: ReadonlyMap<string, Mount>;
  readonly whole: Mount | undefined;
}

/** A part of a bucket's keys that one backend holds. */
export interface MountedRange {
  readonly mount: Mount | 'root';
  /** What the keys of this part begin with in the bucket: '' or ending with `/`. */
  readonly bucketPrefix: string;
  /** What they begin with at the backend instead. */
  readonly pathPrefix: string;
  /** Prefixes inside it that nested mounts hold; the backend's own keys there are hidden. */
  readonly hidden: readonly string[];
}

/** Every mount as it stands at one moment. Immutable and pure. */
export class MountTable {
  static readonly empty = new MountTable([]);
  /** In byte order of bucket and prefix. */
  readonly mounts: readonly Mount[];
  private readonly buckets: ReadonlyMap<string, BucketMounts>;

  constructor(mounts: Iterable<Mount>) {
    this.mounts = [...mounts].sort(
      (a, b) => compareUtf8(a.bucket, b.bucket) || compareUtf8(a.prefix, b.prefix),
    );
    this.buckets = byBucket(this.mounts);
  }

  find(bucket: string, prefix: string): Mount | undefined {
    const mounts = this.buckets.get(bucket);
    return prefix === '' ? mounts?.whole : mounts?.nested.get(prefix);
  }

  /** The bucket's mounts, longest prefix first, the one over the whole bucket (if any) last. */
  mountsOf(bucket: string): readonly Mount[] {
    return this.buckets.get(bucket)?.all ?? [];
  }

  /**
   * Where a key lies: in the mount with the longest prefix that the key begins with and goes beyond, otherwise in the root mount,
   * where `bucket/` stands before it. A key that is exactly a mount's prefix (a folder marker) lies in what surrounds the mount,
   * since no backend holds an object without a name.
   */
  resolve(bucket: string, key: string): Location {
    const mounts = this.buckets.get(bucket);
    if (mounts && mounts.nested.size > 0) {
      for (let at = lastSlash(key, key.length - 2); at >= 0; at = lastSlash(key, at - 1)) {
        const mount = mounts.nested.get(key.slice(0, at + 1));
        if (mount) return { mount, path: key.slice(at + 1) };
      }
    }
    if (mounts?.whole) return { mount: mounts.whole, path: key };
    return { mount: 'root', path: `${bucket}/${key}` };
  }

  /** The parts of the bucket in which keys that begin with `keyPrefix` can lie, the outermost first. */
  rangesFor(bucket: string, keyPrefix: string): readonly MountedRange[] {
    const mounts = this.buckets.get(bucket);
    const whole: Mount | 'root' = mounts?.whole ?? 'root';
    const prefixes = mounts ? [...mounts.nested.keys()] : [];
    const ranges: MountedRange[] = [];
    for (const bucketPrefix of ['', ...prefixes]) {
      if (!bucketPrefix.startsWith(keyPrefix) && !keyPrefix.startsWith(bucketPrefix)) continue;
      const hidden = prefixes.filter(
        (other) => other.length > bucketPrefix.length && other.startsWith(bucketPrefix),
      );
      if (hidden.some((other) => keyPrefix.startsWith(other) && keyPrefix !== other)) continue;
      const mount = bucketPrefix === '' ? whole : (mounts?.nested.get(bucketPrefix) as Mount);
      ranges.push({ mount, bucketPrefix, pathPrefix: mount === 'root' ? `${bucket}/` : '', hidden });
    }
    return ranges.sort((a, b) => a.bucketPrefix.length - b.bucketPrefix.length);
  }
}

function byBucket(mounts: readonly Mount[]): Map<string, BucketMounts> {
  const grouped = Map.groupBy(mounts, (mount) => mount.bucket);
  const buckets = new Map<string, BucketMounts>();
  for (const [bucket, group] of grouped) {
    const nested = new Map(
      group.filter((mount) => mount.prefix !== '').map((mount) => [mount.prefix, mount]),
    );
    const all = group.toSorted((a, b) => b.prefix.length - a.prefix.length);
    buckets.set(bucket, { all, nested, whole: group.find((mount) => mount.prefix === '') });
  }
  return buckets;
}

/** `lastIndexOf` takes a negative position as 0, and would find a slash there again and again. */
function lastSlash(text: string, from: number): number {
  return from < 0 ? -1 : text.lastIndexOf('/', from);
}
