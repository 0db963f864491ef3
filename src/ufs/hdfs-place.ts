import { UfsError } from './errors.ts';
import { parseTreeKey, reservedName, type TreeKey } from './tree-keys.ts';

/** NameNodes take requests of WebHDFS at this port unless they are told another (hdfs-default.xml, dfs.namenode.http-address). */
const defaultHttpPort = 9870;

/** Where in HDFS a mount lies, which keys it can hold, and as which paths. */
export class HdfsPlace {
  readonly uri: string;
  /** Absolute, without a slash at the end; '' for the root. */
  readonly root: string;
  /** Below it lies what is not an object yet. */
  readonly own: string;
  /** Where WebHDFS is asked, in order. */
  readonly origins: readonly URL[];

  constructor(uri: string, endpoint?: string) {
    this.uri = uri;
    const match = /^hdfs:\/\/([^/?#@]+)(\/[^?#]*)?$/.exec(uri);
    if (!match) throw this.#refusal(`${uri} is not of the form hdfs://name/path`);
    const segments = decode(match[2] ?? '/', uri)
      .split('/')
      .filter((segment) => segment !== '');
    if (segments[0] === '.reserved' || segments.some((segment) => reasonAgainst(segment) !== undefined)) {
      throw this.#refusal(`${uri} names no directory that HDFS could hold`);
    }
    this.root = segments.map((segment) => `/${segment}`).join('');
    this.own = `${this.root}/${reservedName}`;
    const host = (match[1] as string).replace(/:\d+$/, '');
    this.origins = (endpoint ?? `http://${host}:${defaultHttpPort}`).split(',').map((text) => {
      if (!URL.canParse(text)) throw this.#refusal(`${text} is no endpoint: write http://host:port`);
      return new URL(text);
    });
  }

  /** Undefined for a key that no path of HDFS can stand for, one to one. */
  parse(key: string): TreeKey | undefined {
    const parsed = parseTreeKey(key);
    if (!parsed || parsed.segments.some((segment) => reasonAgainst(segment) !== undefined)) return undefined;
    return this.root === '' && parsed.segments[0] === '.reserved' ? undefined : parsed;
  }

  /** For changes: throws `invalid-key` where `parse` gives nothing. */
  require(key: string): TreeKey {
    const parsed = this.parse(key);
    if (!parsed) {
      throw new UfsError('invalid-key', 'HDFS cannot hold this key', { backend: this.uri, key });
    }
    return parsed;
  }

  path(segments: readonly string[]): string {
    return segments.length === 0 ? this.root || '/' : `${this.root}/${segments.join('/')}`;
  }

  #refusal(message: string): UfsError {
    return new UfsError('not-implemented', message, { backend: this.uri });
  }
}

/** What a name may not hold, beside what no name of a file system may (Hadoop's DFSUtil.isValidName). */
function reasonAgainst(segment: string): string | undefined {
  if (segment.includes(':')) return 'HDFS holds no name with a colon';
  if (segment === '.' || segment === '..' || segment === reservedName) return 'it is no name of a file';
  return undefined;
}

function decode(text: string, uri: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UfsError('not-implemented', `${uri} holds a % that encodes no character`, { backend: uri });
  }
}
