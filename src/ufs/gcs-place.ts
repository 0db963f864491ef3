import { UfsError } from './errors.ts';

/** Cloud Storage's limit on an object's name, in bytes of UTF-8 ("About Cloud Storage objects", naming requirements). */
const maxNameBytes = 1_024;

/** Below it lies what is not an object yet: uploads, their parts, bodies on their way. */
export const hiddenPrefix = '.forebay/';

/** Where in Google's buckets a mount lies, and which keys it can hold. */
export class GcsPlace {
  readonly uri: string;
  readonly bucket: string;
  /** '' or a prefix that ends with `/`. */
  readonly prefix: string;

  constructor(uri: string) {
    this.uri = uri;
    const match = /^gs:\/\/([^/?#@]+)(?:\/([^?#]*))?$/.exec(uri);
    if (!match) {
      throw new UfsError('not-implemented', `${uri} is not of the form gs://bucket/prefix`, { backend: uri });
    }
    this.bucket = match[1] as string;
    const prefix = decode(match[2] ?? '', uri);
    this.prefix = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
  }

  /** The object's name of a key of this mount, or of something below `hiddenPrefix`. */
  nameOf(key: string): string {
    return this.prefix + key;
  }

  /** The mount's key of an object's name; undefined for one that lies outside. */
  keyOf(name: string): string | undefined {
    return name.startsWith(this.prefix) ? name.slice(this.prefix.length) : undefined;
  }

  /** What cannot be there is not asked for. Kinds: the given one. */
  checkHeld(key: string, kind: 'not-found' | 'invalid-key'): void {
    const reason = this.#reasonAgainst(key);
    if (reason !== undefined) throw new UfsError(kind, reason, { backend: this.uri, key });
  }

  /** "About Cloud Storage objects", naming requirements, and what is kept for Forebay's own use. */
  #reasonAgainst(key: string): string | undefined {
    const name = this.nameOf(key);
    const sizeBytes = Buffer.byteLength(name);
    if (sizeBytes > maxNameBytes)
      return `the name has ${sizeBytes} bytes, and Cloud Storage holds ${maxNameBytes}`;
    if (/[\r\n]/.test(name)) return 'Cloud Storage holds no name with a line break';
    if (name === '.' || name === '..') return `Cloud Storage holds no object named ${name}`;
    if (name.startsWith('.well-known/acme-challenge/')) return 'Cloud Storage holds no name that begins so';
    if (key.startsWith(hiddenPrefix)) return `keys below ${hiddenPrefix} are Forebay's own`;
    return undefined;
  }
}

function decode(text: string, uri: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UfsError('not-implemented', `${uri} holds a % that encodes no character`, { backend: uri });
  }
}
