import { formatAmzDate, formatIsoSeconds, parseAmzDate, parseDateHeader } from '../common/amz-date.ts';
import type { Clock } from '../common/clock.ts';
import type { HmacKey } from '../common/hmac-key.ts';
import {
  type CanonicalParameters,
  canonicalPath,
  canonicalQuery,
  canonicalRequest,
  queryParameters,
  standardCanonicalPath,
  stringToSign,
} from '../common/sigv4.ts';
import { invalidArgument, S3Error } from '../s3api/errors.ts';
import type { Identity } from '../s3api/service.ts';
import { anonymous } from './access.ts';
import { type PayloadMode, parsePayloadMode } from './payload-mode.ts';
import {
  hasQueryCredentials,
  headerMalformed,
  type PresignedClaim,
  parseAuthorization,
  parseCredential,
  parsePresigned,
  queryMalformed,
  type SignatureClaim,
} from './signature-claim.ts';
import { signatureMismatch } from './signature-mismatch.ts';
import { type SignableHeaders, SignedHeaders } from './signed-headers.ts';
import { type SigningEntry, SigningKeys } from './signing-keys.ts';

/** A known access key: whose it is, and what it signs with. */
export interface Credential {
  readonly identity: Identity;
  readonly secretAccessKey: string;
  readonly disabled: boolean;
}

/** Answers at once, from memory that a watch keeps current. */
export interface CredentialSource {
  lookup(accessKeyId: string): Credential | undefined;
  hasUser(name: string): boolean;
}

/** A request as it came off the wire; strings hold one byte a character, as Node gives them. */
export interface SignedRequest extends SignableHeaders {
  readonly method: string;
  /** Path and query as sent. */
  readonly rawTarget: string;
  /** The path as sent. */
  readonly rawPath: string;
}

/** What the signatures of an aws-chunked body are made with. */
export interface ChunkSigning {
  readonly key: HmacKey;
  readonly amzDate: string;
  readonly scope: string;
  /** The request's own signature: the first link of the chain. */
  readonly seedSignature: string;
}

export interface Authenticated {
  readonly identity: Identity;
  readonly form: 'header' | 'query' | 'anonymous';
  readonly payload: PayloadMode;
  /** Undefined where nobody signed. */
  readonly chunkSigning: ChunkSigning | undefined;
}

export interface AuthenticatorSettings {
  readonly region: string;
  /** The service name in credentials: `s3`, or `forebay` on the admin port. */
  readonly service: string;
}

const noParameters: CanonicalParameters = [];
const maximumSkewMs = 15 * 60 * 1000;
const maximumExpiresSeconds = 604_800;
const maximumSigningKeys = 4096;

/**
 * Finds out who signed a request. Every signature is computed and compared each time; only signing keys are kept.
 *
 * Paths of the service `s3` sign in S3's own form; those of any other service in the standard one (normalised, encoded
 * twice). `x-amz-content-sha256` is required either way.
 */
export class Authenticator {
  private readonly clock: Clock;
  private readonly credentials: CredentialSource;
  private readonly settings: AuthenticatorSettings;
  private readonly signingKeys = new SigningKeys({ maximumCount: maximumSigningKeys });
  private readonly signedHeaders = new SignedHeaders();

  constructor(clock: Clock, credentials: CredentialSource, settings: AuthenticatorSettings) {
    this.clock = clock;
    this.credentials = credentials;
    this.settings = settings;
  }

  /** Whether there is a user of that name now. */
  hasUser(name: string): boolean {
    return this.credentials.hasUser(name);
  }

  /** As `authenticate`, but a request that brings no credentials of any kind is nobody's. One that brings wrong ones never is. */
  identify(request: SignedRequest): Authenticated {
    const { headers, rawTarget } = request;
    if (headers.authorization !== undefined) return this.authenticate(request);
    const question = rawTarget.indexOf('?');
    const parameters = question < 0 ? noParameters : queryParameters(rawTarget.slice(question + 1));
    if (parameters.length > 0 && hasQueryCredentials(parameters)) return this.authenticate(request);
    const payload = parsePayloadMode(String(headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD'));
    // Chunks are signed with a chain that begins at the request's own signature.
    if (payload.kind === 'signed-chunks') throw new S3Error('AccessDenied');
    return { identity: anonymous, form: 'anonymous', payload, chunkSigning: undefined };
  }

  /** Throws the `S3Error` that S3 answers where the request is not, or not rightly, signed. */
  authenticate(request: SignedRequest): Authenticated {
    const question = request.rawTarget.indexOf('?');
    const parameters = question < 0 ? noParameters : queryParameters(request.rawTarget.slice(question + 1));
    const authorization = request.headers.authorization;
    const presigned = parameters.length > 0 && hasQueryCredentials(parameters);
    if (authorization !== undefined) {
      if (presigned || isRepeated(request.rawHeaders, 'authorization')) throw oneMechanismOnly(authorization);
      return this.checkHeaderForm(request, parameters, parseAuthorization(String(authorization)));
    }
    if (!presigned) throw new S3Error('AccessDenied');
    return this.checkQueryForm(request, parameters, parsePresigned(parameters));
  }

  private checkHeaderForm(
    request: SignedRequest,
    parameters: CanonicalParameters,
    claim: SignatureClaim,
  ): Authenticated {
    const [entry, credential] = this.resolve(claim, request.headers['x-amz-security-token'] !== undefined);
    const amzDate = this.checkTime(request, entry);
    const payloadHash = request.headers['x-amz-content-sha256'];
    if (payloadHash === undefined) {
      const message = 'Missing required header for this request: x-amz-content-sha256';
      throw new S3Error('InvalidRequest', { message });
    }
    const payload = parsePayloadMode(String(payloadHash));
    this.checkSignature(request, parameters, claim, entry, amzDate, String(payloadHash));
    return this.accept(claim, credential, entry, amzDate, payload);
  }

  private checkQueryForm(
    request: SignedRequest,
    parameters: CanonicalParameters,
    claim: PresignedClaim,
  ): Authenticated {
    const token =
      request.headers['x-amz-security-token'] !== undefined ||
      parameters.some(([name]) => name === 'X-Amz-Security-Token');
    const [entry, credential] = this.resolve(claim, token);
    this.checkExpiry(claim, entry);
    const inQuery = parameters.find(([name]) => name === 'X-Amz-Content-Sha256')?.[1];
    const payloadHash = String(inQuery ?? request.headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD');
    const payload = parsePayloadMode(payloadHash);
    this.checkSignature(request, parameters, claim, entry, claim.amzDate, payloadHash);
    return this.accept(claim, credential, entry, claim.amzDate, payload);
  }

  private resolve(claim: SignatureClaim, hasToken: boolean): [SigningEntry, Credential] {
    const kept = this.signingKeys.peek(claim.credential);
    const parts = kept?.parts ?? parseCredential(claim, this.settings);
    // There are no temporary credentials here, so every session token is one that is not known.
    if (hasToken) throw new S3Error('InvalidToken');
    const credential = this.credentials.lookup(parts.accessKeyId);
    // S3 speaks of an inactive key exactly as of one that does not exist.
    if (!credential || credential.disabled) {
      const extra = { AWSAccessKeyId: parts.accessKeyId };
      const refusal = { rule: credential ? 'key-is-disabled' : 'key-is-not-known' };
      throw new S3Error('InvalidAccessKeyId', { extra, refusal });
    }
    if (kept && kept.secret === credential.secretAccessKey) return [kept, credential];
    return [this.signingKeys.derive(claim.credential, parts, credential.secretAccessKey), credential];
  }

  /** The request's time as it is signed, `yyyymmddThhmmssZ`: `x-amz-date`, or `Date` where that is absent. */
  private checkTime(request: SignedRequest, entry: SigningEntry): string {
    const header = request.headers['x-amz-date'];
    const text = String(header ?? request.headers.date ?? '');
    const timeMs = header === undefined ? parseDateHeader(text) : parseAmzDate(text);
    if (timeMs === undefined) {
      throw new S3Error('AccessDenied', {
        message: 'AWS authentication requires a valid Date or x-amz-date header',
      });
    }
    const amzDate = header === undefined ? formatAmzDate(timeMs) : text;
    if (!amzDate.startsWith(entry.parts.date)) {
      throw headerMalformed(
        `Invalid credential date "${entry.parts.date}". This date is not the same as X-Amz-Date: "${amzDate.slice(0, 8)}".`,
      );
    }
    const nowMs = this.clock.nowMs();
    if (Math.abs(nowMs - timeMs) > maximumSkewMs) {
      throw new S3Error('RequestTimeTooSkewed', {
        extra: {
          RequestTime: text,
          ServerTime: formatIsoSeconds(nowMs),
          MaxAllowedSkewMilliseconds: String(maximumSkewMs),
        },
      });
    }
    return amzDate;
  }

  private checkExpiry(claim: PresignedClaim, entry: SigningEntry): void {
    const timeMs = parseAmzDate(claim.amzDate);
    if (timeMs === undefined) {
      throw queryMalformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
    }
    if (!claim.amzDate.startsWith(entry.parts.date)) {
      throw queryMalformed(
        `Invalid credential date "${entry.parts.date}". This date is not the same as X-Amz-Date: "${claim.amzDate.slice(0, 8)}".`,
      );
    }
    if (!/^-?\d{1,15}$/.test(claim.expires)) throw queryMalformed('X-Amz-Expires should be a number');
    const expires = Number(claim.expires);
    if (expires < 0) throw queryMalformed('X-Amz-Expires must be non-negative');
    if (expires > maximumExpiresSeconds) {
      throw queryMalformed(
        'X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds',
      );
    }
    const nowMs = this.clock.nowMs();
    const ServerTime = formatIsoSeconds(nowMs);
    if (timeMs > nowMs + maximumSkewMs) {
      const extra = { 'X-Amz-Date': claim.amzDate, ServerTime };
      throw new S3Error('AccessDenied', { message: 'Request is not valid yet', extra });
    }
    const endMs = timeMs + expires * 1000;
    if (nowMs > endMs) {
      const extra = { 'X-Amz-Expires': claim.expires, Expires: formatIsoSeconds(endMs), ServerTime };
      throw new S3Error('AccessDenied', { message: 'Request has expired', extra });
    }
  }

  private checkSignature(
    request: SignedRequest,
    parameters: CanonicalParameters,
    claim: SignatureClaim,
    entry: SigningEntry,
    amzDate: string,
    payloadHash: string,
  ): void {
    const headers = this.signedHeaders.read(claim, request);
    const canonical = canonicalRequest({
      method: request.method,
      path:
        this.settings.service === 's3'
          ? canonicalPath(request.rawPath)
          : standardCanonicalPath(request.rawPath),
      query: canonicalQuery(parameters),
      headers,
      signedHeaders: claim.signedHeaders,
      payloadHash,
    });
    const text = stringToSign(amzDate, entry.scope, canonical);
    if (!entry.key.matches(text, claim.signature)) {
      throw signatureMismatch(entry.parts.accessKeyId, claim.signature, text, canonical);
    }
  }

  private accept(
    claim: SignatureClaim,
    credential: Credential,
    entry: SigningEntry,
    amzDate: string,
    payload: PayloadMode,
  ): Authenticated {
    const chunkSigning = {
      key: entry.key,
      amzDate,
      scope: entry.scope,
      seedSignature: claim.signature,
    };
    return { identity: credential.identity, form: claim.form, payload, chunkSigning };
  }
}

function isRepeated(rawHeaders: readonly string[], name: string): boolean {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const header = rawHeaders[i] as string;
    if (header.length === name.length && header.toLowerCase() === name) count++;
  }
  return count > 1;
}

function oneMechanismOnly(authorization: string | string[]): S3Error {
  return invalidArgument(
    'Authorization',
    String(authorization),
    'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified',
  );
}
