import { S3Error } from './errors.ts';
import { type BucketName, type ObjectKey, parseBucketName, parseObjectKey } from './names.ts';
import { decodePercent, parseQuery } from './percent.ts';

/** What a request is addressed to. */
export interface Target {
  /** The path as sent, before any decoding; `/` where an absolute-form target has none. */
  readonly rawPath: string;
  /** Undefined for a request to the service itself. */
  readonly bucket?: BucketName;
  readonly key?: ObjectKey;
  readonly query: ReadonlyMap<string, string>;
  /** True if the bucket was named by the host, not by the path. */
  readonly virtualHost: boolean;
}

export interface TargetInput {
  readonly method: string;
  /** The request target exactly as sent, each character one byte as Node gives it. */
  readonly rawTarget: string;
  /** The Host header. */
  readonly host: string | undefined;
  /** Lower-case domains below which a host name's first part is a bucket. */
  readonly domains: readonly string[];
}

/**
 * Takes a request target apart and decodes it, once. Path style unless the host is `BUCKET.DOMAIN` with one of the
 * configured domains, so that an IP address, localhost and unknown names are path style
 * (S3 User Guide, "Virtual hosting of buckets"). Slashes and dots inside a key are kept as they are.
 *
 * InvalidURI (percent-encoding or UTF-8 that is not valid, a target of a form that no operation has), InvalidBucketName,
 * KeyTooLongError.
 */
export function parseTarget(input: TargetInput): Target {
  const { rawPath, rawQuery } = splitTarget(input.rawTarget, input.host);
  const query = parseQuery(rawQuery);
  const hostBucket = bucketOfHost(input.host, input.domains);
  if (hostBucket !== undefined) {
    return {
      rawPath,
      query,
      virtualHost: true,
      bucket: parseBucketName(hostBucket),
      ...keyOf(rawPath.slice(1)),
    };
  }
  if (rawPath === '/' || isObjectLambdaAnswer(input.method, rawPath)) {
    return { rawPath, query, virtualHost: false };
  }
  const slash = rawPath.indexOf('/', 1);
  const rawBucket = slash < 0 ? rawPath.slice(1) : rawPath.slice(1, slash);
  const bucket = parseBucketName(decodePercent(rawBucket));
  const key = slash < 0 ? {} : keyOf(rawPath.slice(slash + 1));
  return { rawPath, query, virtualHost: false, bucket, ...key };
}

/** WriteGetObjectResponse has a path of its own, which is no bucket (S3 API Reference, WriteGetObjectResponse). */
function isObjectLambdaAnswer(method: string, rawPath: string): boolean {
  return method === 'POST' && rawPath === '/WriteGetObjectResponse';
}

function keyOf(rawKey: string): { key?: ObjectKey } {
  return rawKey === '' ? {} : { key: parseObjectKey(decodePercent(rawKey)) };
}

/**
 * Origin form and absolute form (RFC 9112, 3.2). In the latter the target's own authority would replace the Host header, but
 * only the header is signed: another one is refused, or a signature for one bucket's host would be good for every bucket.
 */
function splitTarget(rawTarget: string, hostHeader: string | undefined) {
  if (rawTarget.includes('#')) throw new S3Error('InvalidURI');
  const absolute = rawTarget.startsWith('/') ? null : /^https?:\/\/([^/?]*)/i.exec(rawTarget);
  const rest = absolute ? rawTarget.slice(absolute[0].length) : rawTarget;
  if (absolute && absolute[1] !== hostHeader) {
    throw new S3Error('InvalidRequest', {
      message: 'The host of the request target is not that of the Host header.',
    });
  }
  const question = rest.indexOf('?');
  const path = question < 0 ? rest : rest.slice(0, question);
  const rawPath = absolute && path === '' ? '/' : path;
  if (!rawPath.startsWith('/')) throw new S3Error('InvalidURI');
  return { rawPath, rawQuery: question < 0 ? '' : rest.slice(question + 1) };
}

/** The part of the host before the longest configured domain it lies below. */
function bucketOfHost(host: string | undefined, domains: readonly string[]): string | undefined {
  if (host === undefined || domains.length === 0) return undefined;
  const name = host.replace(/:\d*$/, '').toLowerCase();
  let found: string | undefined;
  for (const domain of domains) {
    if (name.length <= domain.length + 1 || !name.endsWith(`.${domain}`)) continue;
    const bucket = name.slice(0, -domain.length - 1);
    if (found === undefined || bucket.length < found.length) found = bucket;
  }
  // A host that is itself one of the domains names the service, also where another domain lies above it.
  return domains.includes(name) ? undefined : found;
}
