import { formatAmzDate } from '../common/amz-date.ts';
import type { Clock } from '../common/clock.ts';
import {
  type CanonicalParameters,
  canonicalHeaderValue,
  canonicalQuery,
  canonicalRequest,
  deriveSigningKey,
  sign,
  signingAlgorithm,
  stringToSign,
} from '../common/sigv4.ts';
import type { CredentialSource } from './authenticate.ts';

/** A request that somebody is to send elsewhere, in this form. */
export interface RequestToPresign {
  readonly method: string;
  /** Canonical, as `canonicalPath` gives it. */
  readonly path: string;
  /** Of the query, without what signs it. */
  readonly parameters: CanonicalParameters;
  /** The host and port that it is sent to. */
  readonly host: string;
  /** The other headers that are sent with it, names in lower case; those that begin with `x-amz-` have to be signed. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly payloadHash: string;
}

const signs: ReadonlySet<string> = new Set([
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Signature',
  'X-Amz-Content-Sha256',
]);

/** Signs requests for users whose key signed the same request here (S3 API Reference, "Authenticating Requests: Using Query Parameters"). */
export class Presigner {
  private readonly clock: Clock;
  private readonly credentials: CredentialSource;
  private readonly settings: { readonly region: string; readonly expiresSeconds: number };

  constructor(
    clock: Clock,
    credentials: CredentialSource,
    settings: { readonly region: string; readonly expiresSeconds: number },
  ) {
    this.clock = clock;
    this.credentials = credentials;
    this.settings = settings;
  }

  /** The query that signs the request; undefined if there is no such key any more. */
  queryOf(accessKeyId: string, request: RequestToPresign): string | undefined {
    const credential = this.credentials.lookup(accessKeyId);
    if (!credential || credential.disabled) return undefined;
    const { region, expiresSeconds } = this.settings;
    const amzDate = formatAmzDate(this.clock.nowMs());
    const date = amzDate.slice(0, 8);
    const scope = `${date}/${region}/s3/aws4_request`;
    const headers = [['host', request.host] as const, ...request.headers]
      .map(([name, value]) => [name, canonicalHeaderValue(value)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    const signedHeaders = headers.map(([name]) => name).join(';');
    const query = canonicalQuery([
      ...withoutSignature(request.parameters),
      ['X-Amz-Algorithm', signingAlgorithm],
      ['X-Amz-Content-Sha256', request.payloadHash],
      ['X-Amz-Credential', encodeURIComponent(`${accessKeyId}/${scope}`)],
      ['X-Amz-Date', amzDate],
      ['X-Amz-Expires', String(expiresSeconds)],
      ['X-Amz-SignedHeaders', encodeURIComponent(signedHeaders)],
    ]);
    const { method, path, payloadHash } = request;
    const text = canonicalRequest({ method, path, query, headers, signedHeaders, payloadHash });
    const key = deriveSigningKey(credential.secretAccessKey, date, region, 's3');
    return `${query}&X-Amz-Signature=${sign(key, stringToSign(amzDate, scope, text))}`;
  }
}

/** What the client itself asks for. */
export function withoutSignature(parameters: CanonicalParameters): CanonicalParameters {
  return parameters.filter(([name]) => !signs.has(name));
}
