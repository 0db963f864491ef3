import { randomUUID } from 'node:crypto';
import type { Mount } from '../../src/mounts/mount.ts';

/** A mount as its defaults are. */
export function mountOf(bucket: string, prefix: string): Mount {
  return {
    incarnation: randomUUID(),
    bucket,
    prefix,
    uri: 'memory:',
    pathStyle: true,
    readOnly: false,
    writeMode: 'through',
    createdMs: 0,
  };
}
