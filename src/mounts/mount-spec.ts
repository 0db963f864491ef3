import type { Freshness } from '../common/freshness.ts';
import { formatDurationMs, parseDurationMs, parseSizeBytes } from '../common/units.ts';
import { isBucketName } from '../s3api/names.ts';
import type { WriteMode } from './mount.ts';
import { MountError } from './mount-error.ts';
import { type MountScheme, parseMountUri, type ReachOption, schemeRules } from './mount-uri.ts';

/** A mount as an operator asks for it, all in text. */
export interface MountRequest {
  /** `BUCKET` or `BUCKET/PREFIX`. */
  readonly target: string;
  readonly uri: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  /** The text of a credentials file, of `gs:`, or a delegation token, of `hdfs:`. */
  readonly credentials?: string;
  /** Without anybody's rights, of `gs:` only. */
  readonly anonymous?: boolean;
  /** As whom, of `hdfs:` only. */
  readonly user?: string;
  readonly pathStyle?: boolean;
  readonly readOnly?: boolean;
  readonly writeMode?: string;
  /** A number. */
  readonly copies?: string;
  /** `always`, `immutable`, or `lease:DURATION`. */
  readonly freshness?: string;
  /** A number. */
  readonly maxRequests?: string;
  /** A size, such as `100MiB`. */
  readonly maxBytesPerSecond?: string;
  readonly owner?: string;
}

/** A mount that makes sense: checked, and in one spelling. */
export interface MountSpec {
  readonly bucket: string;
  /** '' or ending with `/`. */
  readonly prefix: string;
  readonly uri: string;
  /** The folder of a `file://` mount. */
  readonly path?: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly credentials?: string;
  readonly anonymous?: boolean;
  readonly user?: string;
  readonly pathStyle: boolean;
  readonly readOnly: boolean;
  readonly writeMode: WriteMode;
  readonly copies?: number;
  readonly wasBack?: true;
  readonly freshness?: Freshness;
  readonly maxRequests?: number;
  readonly maxBytesPerSecond?: number;
  readonly owner?: string;
}

const maximumPrefixBytes = 900;
const maximumLeaseMs = 86_400_000;
const maximumRequests = 10_000;
/** Less would take longer for a page than clients wait. */
const minimumBytesPerSecond = 65_536;

/** Throws a `MountError` of kind `invalid` that says what to write instead. */
export function parseMountRequest(request: MountRequest): MountSpec {
  const { bucket, prefix } = parseMountTarget(request.target);
  const uri = parseMountUri(request.uri);
  refuseOtherSchemesOptions(request, uri.scheme);
  if ((request.accessKeyId === undefined) !== (request.secretAccessKey === undefined)) {
    throw invalid('an access key id and its secret are given together, or neither');
  }
  if (request.anonymous && request.credentials !== undefined) {
    throw invalid('--anonymous and a credentials file exclude each other');
  }
  if (request.user !== undefined) checkUser(request.user, request.credentials);
  if (request.owner !== undefined && prefix !== '') {
    throw invalid(
      'an owner is given for a whole bucket only: a mount inside one belongs to the bucket’s owner',
    );
  }
  return {
    bucket,
    prefix,
    uri: uri.text,
    path: uri.path,
    endpoint: request.endpoint === undefined ? undefined : parseEndpoints(request.endpoint, uri.scheme),
    region: request.region,
    accessKeyId: request.accessKeyId,
    secretAccessKey: request.secretAccessKey,
    credentials: request.credentials,
    ...(request.anonymous ? { anonymous: true } : {}),
    ...(request.user === undefined ? {} : { user: request.user }),
    // Storage other than AWS's own seldom has a name for each bucket.
    pathStyle: request.pathStyle ?? (uri.scheme === 's3' && request.endpoint !== undefined),
    readOnly: request.readOnly ?? false,
    writeMode: parseWriteMode(request.writeMode ?? 'through'),
    ...parseCopies(request.copies),
    ...(request.writeMode === 'back' ? { wasBack: true } : {}),
    freshness: request.freshness === undefined ? undefined : parseFreshness(request.freshness),
    ...parseLimits(request),
    owner: request.owner,
  };
}

/** Throws a `MountError` of kind `invalid`. */
export function parseCopies(text: string | undefined): { readonly copies?: number } {
  if (text === undefined) return {};
  if (/^[1-3]$/.test(text)) return { copies: Number(text) };
  throw invalid('copies must be 1, 2 or 3: on how many nodes a write is before it is acknowledged');
}

/** Takes `BUCKET` or `BUCKET/PREFIX` apart; a final slash means nothing. Throws a `MountError` of kind `invalid`. */
export function parseMountTarget(target: string): { readonly bucket: string; readonly prefix: string } {
  const slash = target.indexOf('/');
  const bucket = slash < 0 ? target : target.slice(0, slash);
  checkBucketName(bucket);
  const rest = slash < 0 ? '' : target.slice(slash + 1);
  const prefix = rest === '' || rest.endsWith('/') ? rest : `${rest}/`;
  checkPrefix(prefix);
  return { bucket, prefix };
}

/** `always`, `immutable`, `lease:30s`. Throws a `MountError` of kind `invalid`. */
export function parseFreshness(text: string): Freshness {
  if (text === 'always' || text === 'immutable') return { kind: text };
  const ms = text.startsWith('lease:') ? parseDurationMs(text.slice('lease:'.length)) : undefined;
  if (ms !== undefined && ms > 0 && ms <= maximumLeaseMs) return { kind: 'lease', ms };
  throw invalid(
    `the freshness must be always, immutable, or lease: with a duration up to 1d, as in lease:30s`,
  );
}

export function formatFreshness(freshness: Freshness): string {
  return freshness.kind === 'lease' ? `lease:${formatDurationMs(freshness.ms)}` : freshness.kind;
}

/** `BUCKET` or `BUCKET/PREFIX/`, as messages and metrics name a mount. */
export function mountName(mount: { readonly bucket: string; readonly prefix: string }): string {
  return mount.prefix === '' ? mount.bucket : `${mount.bucket}/${mount.prefix}`;
}

function invalid(message: string): MountError {
  return new MountError('invalid', message);
}

function checkBucketName(bucket: string): void {
  if (isBucketName(bucket)) return;
  throw invalid(
    `${JSON.stringify(bucket)} is no bucket name: write 3 to 63 small letters, digits, dots or hyphens, as in BUCKET or BUCKET/PREFIX`,
  );
}

function checkPrefix(prefix: string): void {
  const segments = prefix.split('/').slice(0, -1);
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw invalid(`the prefix ${JSON.stringify(prefix)} has an empty part, . or .. between its slashes`);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these are meant.
  if (/[\x00-\x1f\x7f]/.test(prefix) || !prefix.isWellFormed()) {
    throw invalid('the prefix holds characters that cannot be printed');
  }
  if (Buffer.byteLength(prefix) > maximumPrefixBytes) {
    throw invalid(`the prefix is longer than ${maximumPrefixBytes} bytes`);
  }
}

/** Of HDFS there may be several NameNodes, one of which is the active one. */
function parseEndpoints(text: string, scheme: MountScheme): string {
  return scheme === 'hdfs' ? text.split(',').map(parseEndpoint).join(',') : parseEndpoint(text);
}

function checkUser(user: string, token: string | undefined): void {
  if (token !== undefined)
    throw invalid('--user and a delegation token exclude each other: the token says who it is');
  // What Hadoop takes for a user's name (hdfs-default.xml, dfs.webhdfs.user.provider.user.pattern).
  if (!/^[A-Za-z_][A-Za-z0-9._-]*\$?$/.test(user) || user.length > 256) {
    throw invalid(`${JSON.stringify(user.slice(0, 100))} is no name of a user of HDFS`);
  }
}

function parseEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain =
    url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    url.username === '' &&
    url.pathname === '/' &&
    url.search === '';
  if (!plain) throw invalid('the endpoint must be http:// or https:// with a host and, if need be, a port');
  return url.origin;
}

function parseLimits(request: MountRequest): Pick<MountSpec, 'maxRequests' | 'maxBytesPerSecond'> {
  const { maxRequests, maxBytesPerSecond } = request;
  const count = maxRequests === undefined ? undefined : Number(maxRequests);
  if (count !== undefined && !(Number.isInteger(count) && count >= 1 && count <= maximumRequests)) {
    throw invalid(`--max-requests must be a number from 1 to ${maximumRequests}`);
  }
  const rate = maxBytesPerSecond === undefined ? undefined : parseSizeBytes(maxBytesPerSecond);
  if (maxBytesPerSecond !== undefined && (rate === undefined || rate < minimumBytesPerSecond)) {
    throw invalid('--max-bytes-per-second must be a size of at least 64KiB, as in 100MiB');
  }
  return {
    ...(count === undefined ? {} : { maxRequests: count }),
    ...(rate === undefined ? {} : { maxBytesPerSecond: rate }),
  };
}

/** Throws a `MountError` of kind `invalid`. */
export function parseWriteMode(text: string): WriteMode {
  if (text === 'through' || text === 'around' || text === 'back') return text;
  throw invalid(`the write mode must be through, back or around, not ${JSON.stringify(text)}`);
}

const optionWords: Readonly<Record<ReachOption, string>> = {
  endpoint: '--endpoint',
  region: '--region',
  accessKeyId: '--access-key-id',
  secretAccessKey: 'a secret access key',
  pathStyle: '--path-style',
  credentials: 'a credentials file',
  anonymous: '--anonymous',
  user: '--user',
};

function refuseOtherSchemesOptions(request: MountRequest, scheme: MountScheme): void {
  const { takes } = schemeRules[scheme];
  const given = Object.entries(optionWords).find(([option]) => {
    const value = request[option as ReachOption];
    return value !== undefined && value !== false && !takes.includes(option as ReachOption);
  });
  if (given) throw invalid(`${given[1]} means nothing for a ${scheme}:// mount: leave it out`);
}
