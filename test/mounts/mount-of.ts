import type { Mount } from '../../src/mounts/mount.ts';

/** A mount whose incarnation names its place, for tables of mounts. */
export function mountOf(bucket: string, prefix: string): Mount {
  return {
    incarnation: `${bucket}|${prefix}`,
    bucket,
    prefix,
    uri: 'file:///somewhere',
    pathStyle: false,
    readOnly: false,
    writeMode: 'through',
    createdMs: 0,
  };
}
