import { createHash } from 'node:crypto';
import {
  Authenticator,
  type Credential,
  type CredentialSource,
  type SignedRequest,
} from '../../src/auth/authenticate.ts';
import type { Clock } from '../../src/common/clock.ts';
import { S3Error } from '../../src/s3api/errors.ts';

/** The credentials and the time of the examples that AWS publishes. */
export const exampleAccessKeyId = 'AKIAIOSFODNN7EXAMPLE';
export const exampleSecret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
export const exampleDate = '20130524T000000Z';
export const exampleTimeMs = Date.UTC(2013, 4, 24);
export const exampleScope = '20130524/us-east-1/s3/aws4_request';
export const emptySha256 = sha256Hex('');

export function sha256Hex(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

export function fixedClock(nowMs: number): Clock {
  return { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep: async () => {} };
}

export const exampleCredential: Credential = {
  identity: { userName: 'ann', policy: 'readwrite', accessKeyId: exampleAccessKeyId },
  secretAccessKey: exampleSecret,
  disabled: false,
};

export const disabledKeyId = 'AKIADISABLED00000000';

export const exampleCredentials: CredentialSource = {
  hasUser: (name: string) => name === exampleCredential.identity.userName,
  lookup: (id) => {
    if (id === exampleAccessKeyId) return exampleCredential;
    if (id === disabledKeyId) return { ...exampleCredential, disabled: true };
    return undefined;
  },
};

export function exampleAuthenticator(
  nowMs = exampleTimeMs,
  settings = { region: 'us-east-1', service: 's3' },
): Authenticator {
  return new Authenticator(fixedClock(nowMs), exampleCredentials, settings);
}

/** A request as Node would present it. Header names are kept as given in `rawHeaders`. */
export function request(
  method: string,
  rawTarget: string,
  headers: readonly (readonly [string, string])[],
): SignedRequest {
  const joined: Record<string, string> = {};
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    const before = joined[lower];
    const dropped = lower === 'host' || lower === 'authorization';
    joined[lower] = before === undefined ? value : dropped ? before : `${before}, ${value}`;
  }
  const question = rawTarget.indexOf('?');
  return {
    method,
    rawTarget,
    rawPath: question < 0 ? rawTarget : rawTarget.slice(0, question),
    headers: joined,
    rawHeaders: headers.flat(),
  };
}

/** The error that a call throws; fails where it throws none, or none of S3's. */
export function thrown(call: () => unknown): S3Error {
  try {
    call();
  } catch (error) {
    if (error instanceof S3Error) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

export async function rejected(promise: Promise<unknown>): Promise<S3Error> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof S3Error) return error;
    throw error;
  }
  throw new Error('it did not reject');
}
