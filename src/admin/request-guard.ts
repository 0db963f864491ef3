import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Authenticated, Authenticator } from '../auth/authenticate.ts';
import { S3Error } from '../s3api/errors.ts';
import type { Identity } from '../s3api/service.ts';

/** A caller whose signature holds; the body is still to be compared with what was signed. */
export interface AdminCaller {
  readonly identity: Identity;
  /** SHA-256 of the body, hex, as it was signed. */
  readonly bodySha256: string;
}

/**
 * Lets administrators through, by header signature over the whole request. Throws `S3Error`: a link that somebody was handed
 * (query credentials) and a body left out of the signature are refused.
 */
export function admit(authenticator: Authenticator, request: IncomingMessage): AdminCaller {
  const rawTarget = request.url ?? '/';
  const authenticated: Authenticated = authenticator.authenticate({
    method: request.method ?? 'GET',
    rawTarget,
    rawPath: rawTarget.split('?', 1)[0] ?? '/',
    headers: request.headers,
    rawHeaders: request.rawHeaders,
  });
  const { identity, form, payload } = authenticated;
  if (form !== 'header') {
    throw new S3Error('AccessDenied', {
      message: 'Requests to this port are signed in the Authorization header',
    });
  }
  if (payload.kind !== 'hashed') {
    throw new S3Error('InvalidRequest', { message: 'x-amz-content-sha256 must be the SHA-256 of the body' });
  }
  if (identity.policy !== 'admin') {
    throw new S3Error('AccessDenied', { message: `${identity.userName} is no administrator` });
  }
  return { identity, bodySha256: payload.sha256 };
}

/** Throws XAmzContentSHA256Mismatch unless this is the body that was signed. */
export function checkBody(caller: AdminCaller, body: Buffer): void {
  const digest = createHash('sha256').update(body).digest();
  if (!timingSafeEqual(digest, Buffer.from(caller.bodySha256, 'hex'))) {
    throw new S3Error('XAmzContentSHA256Mismatch');
  }
}
