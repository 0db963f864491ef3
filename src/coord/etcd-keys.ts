/** Keys of one cluster in etcd: `/forebay/<cluster name>/` and the store's own key, as UTF-8, in whose byte order etcd keeps them. */
export class EtcdKeys {
  readonly root: string;

  constructor(clusterName: string) {
    this.root = `/forebay/${clusterName}/`;
  }

  encode(key: string): Buffer {
    return Buffer.from(this.root + key);
  }

  decode(key: Buffer): string {
    return key.toString('utf8').slice(this.root.length);
  }

  /** What an etcd request names for all keys that begin with `prefix`: half open, `[key, range_end)`. */
  range(prefix: string): { readonly key: Buffer; readonly range_end: Buffer } {
    const key = this.encode(prefix);
    return { key, range_end: afterAllWith(key) };
  }
}

/** The first key behind all that begin with these bytes. UTF-8 has no byte 0xff, so the last one can always be raised. */
function afterAllWith(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  const last = end.length - 1;
  end[last] = (end[last] ?? 0) + 1;
  return end;
}

/** The key that follows directly: where the next page of a list begins. */
export function keyAfter(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.of(0)]);
}
