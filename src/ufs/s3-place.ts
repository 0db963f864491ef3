import { UfsError } from './errors.ts';

/** S3's limit on a key, in bytes of UTF-8 (S3 User Guide, "Naming objects"). */
const maxKeyBytes = 1_024;

/** Where in a backend's buckets a mount lies. */
export class S3Place {
  readonly uri: string;
  readonly bucket: string;
  /** '' or a prefix that ends with `/`. */
  readonly prefix: string;

  constructor(uri: string) {
    this.uri = uri;
    const match = /^s3:\/\/([^/?#@]+)(?:\/([^?#]*))?$/.exec(uri);
    if (!match)
      throw new UfsError('not-implemented', `${uri} is not of the form s3://bucket/prefix`, { backend: uri });
    this.bucket = match[1] as string;
    const prefix = decode(match[2] ?? '', uri);
    this.prefix = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
  }

  /** The backend's own key of a key of this mount. */
  pathOf(key: string): string {
    return this.prefix + key;
  }

  /** The mount's key of one of the backend's; undefined for one that lies outside. */
  keyOf(path: string): string | undefined {
    return path.startsWith(this.prefix) ? path.slice(this.prefix.length) : undefined;
  }

  /** What S3 cannot hold cannot be there; and HEAD, which has no body, could not say why it refuses. */
  checkHeld(key: string, kind: 'not-found' | 'invalid-key'): void {
    const sizeBytes = Buffer.byteLength(this.pathOf(key));
    if (sizeBytes <= maxKeyBytes) return;
    throw new UfsError(kind, `the key has ${sizeBytes} bytes at the backend, which holds ${maxKeyBytes}`, {
      backend: this.uri,
      key,
    });
  }
}

function decode(text: string, uri: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UfsError('not-implemented', `${uri} holds a % that encodes no character`, { backend: uri });
  }
}
