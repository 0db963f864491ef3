import { MountError } from './mount-error.ts';

export type MountScheme = 'file' | 's3' | 'gs' | 'hdfs';

export interface MountUri {
  readonly scheme: MountScheme;
  /** In one spelling, so that the same place has the same text. */
  readonly text: string;
  /** The folder, of `file` only. */
  readonly path?: string;
}

interface SchemeRule {
  readonly example: string;
  /** What of how it is reached and with whose rights means something there. */
  readonly takes: readonly ReachOption[];
}

/** Options of a mount that are some schemes' alone. */
export type ReachOption =
  | 'endpoint'
  | 'region'
  | 'accessKeyId'
  | 'secretAccessKey'
  | 'pathStyle'
  | 'credentials'
  | 'anonymous'
  | 'user';

export const schemeRules: Readonly<Record<MountScheme, SchemeRule>> = {
  file: { example: 'file:///srv/data', takes: [] },
  s3: {
    example: 's3://bucket/prefix',
    takes: ['endpoint', 'region', 'accessKeyId', 'secretAccessKey', 'pathStyle'],
  },
  gs: { example: 'gs://bucket/prefix', takes: ['endpoint', 'credentials', 'anonymous'] },
  hdfs: { example: 'hdfs://namenode/path', takes: ['endpoint', 'credentials', 'user'] },
};

/** Takes a backend URI apart. Throws a `MountError` of kind `invalid`. */
export function parseMountUri(text: string): MountUri {
  const invalid = (reason: string) =>
    new MountError('invalid', `the URI ${withoutCredentials(text)} ${reason}`);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (!isScheme(scheme)) {
    const examples = Object.values(schemeRules).map((rule) => rule.example);
    throw invalid(`is of no known kind: write ${examples.join(', ')}`);
  }
  if (text.length > 2048) throw invalid('is longer than 2,048 characters');
  if (!URL.canParse(text)) throw invalid(`cannot be read: write it like ${schemeRules[scheme].example}`);
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    throw invalid('holds credentials: give them with the options that are for them');
  }
  if (text.includes('?') || text.includes('#')) {
    throw invalid('holds ? or #: write %3F or %23 where a name has them');
  }
  return scheme === 'file' ? fileUri(url, invalid) : remoteUri(scheme, url, invalid);
}

function fileUri(url: URL, invalid: (reason: string) => MountError): MountUri {
  if (url.hostname !== '' && url.hostname !== 'localhost') {
    throw invalid('names a host: write three slashes, as in file:///srv/data');
  }
  const path = decode(url.pathname, invalid);
  if (path.includes('\0')) throw invalid('holds a zero byte');
  // The URL parser has resolved `.` and `..` already, those that were percent-encoded too.
  const trimmed = path.replace(/\/+$/, '') || '/';
  return { scheme: 'file', path: trimmed, text: `file://${encodePath(trimmed)}` };
}

function remoteUri(scheme: MountScheme, url: URL, invalid: (reason: string) => MountError): MountUri {
  if (url.hostname === '') {
    throw invalid(
      `names no ${scheme === 'hdfs' ? 'NameNode' : 'bucket'}: write it like ${schemeRules[scheme].example}`,
    );
  }
  const path = decode(url.pathname, invalid).replace(/^\//, '');
  const prefix = path === '' || path.endsWith('/') ? path : `${path}/`;
  return { scheme, text: `${scheme}://${url.host}/${encodePath(prefix)}` };
}

function isScheme(scheme: string | undefined): scheme is MountScheme {
  return scheme !== undefined && Object.hasOwn(schemeRules, scheme);
}

function decode(path: string, invalid: (reason: string) => MountError): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw invalid('holds a % that encodes no character: write %25 for a percent sign');
  }
}

function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/** A message must not repeat a password that somebody put into the URI. */
function withoutCredentials(text: string): string {
  return text.replace(/\/\/[^/]*@/, '//***@').slice(0, 200);
}
