import { compareUtf8 } from '../common/utf8-order.ts';
import { noCounts } from './counts.ts';
import type { JobObject } from './job-objects.ts';
import type { Shard } from './job-record.ts';

export const maxShardObjects = 1_000;
const maxShardBytes = 1024 * 1024 * 1024;

/** The next shard of listed objects, from the first on; at least one object is there. */
export function cutShard(objects: readonly JobObject[], number: number, after: string | undefined): Shard {
  let bytes = 0;
  let count = 0;
  for (const { sizeBytes } of objects) {
    if (count === maxShardObjects || (count > 0 && bytes + sizeBytes > maxShardBytes)) break;
    bytes += sizeBytes;
    count++;
  }
  const through = objects[count - 1]?.key ?? '';
  return { number, after, through, objects: count, bytes, isDone: false, counts: noCounts };
}

/** Behind all keys. */
const lastOfAll = '\u{10FFFF}';

/** One about all that a node has. */
export function shardOf(worker: string, number: number): Shard {
  return { number, worker, through: lastOfAll, objects: 0, bytes: 0, isDone: false, counts: noCounts };
}

/** What of a list, in order, comes after a key. */
export function behind(objects: readonly JobObject[], key: string): readonly JobObject[] {
  const first = objects.findIndex((object) => compareUtf8(object.key, key) > 0);
  return first < 0 ? [] : objects.slice(first);
}
