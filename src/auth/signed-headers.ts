import { canonicalHeaderValue } from '../common/sigv4.ts';
import { S3Error } from '../s3api/errors.ts';
import { headerMalformed, queryMalformed, type SignatureClaim } from './signature-claim.ts';

export interface SignableHeaders {
  /** Names in lower case; of a repeated header whatever Node makes of it. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Name, value, name, value… as sent. */
  readonly rawHeaders: readonly string[];
}

const maximumSignedHeaders = 128;

/**
 * The canonical values of the headers that the client says it signed, in its order.
 *
 * AccessDenied where `host` or an `x-amz-` header of the request is not among them. A header that is signed but not there
 * has no value that could be canonical; it is given one that no client can have signed, so that the comparison fails.
 */
export function readSignedHeaders(
  claim: SignatureClaim,
  request: SignableHeaders,
): (readonly [name: string, value: string])[] {
  const names = claim.signedHeaders.split(';');
  if (names.length > maximumSignedHeaders) {
    throw claim.form === 'header'
      ? headerMalformed('too many SignedHeaders.')
      : queryMalformed('Too many headers in X-Amz-SignedHeaders.');
  }
  checkAllSigned(names, request.headers);
  const { headers, rawHeaders } = request;
  const values = Object.keys(headers).length * 2 === rawHeaders.length ? undefined : allValues(rawHeaders);
  return names.map((name) => {
    const value = values ? values.get(name) : headers[name];
    return [name, value === undefined ? missing : canonicalHeaderValue(String(value))];
  });
}

/** A line feed cannot be part of a header's value. */
const missing = '\n(absent)';

function checkAllSigned(
  names: readonly string[],
  headers: Readonly<Record<string, string | string[] | undefined>>,
): void {
  let unsigned: string[] | undefined;
  for (const name in headers) {
    if (name.startsWith('x-amz-') && !names.includes(name)) unsigned = [...(unsigned ?? []), name];
  }
  if (!names.includes('host')) unsigned = ['host', ...(unsigned ?? [])];
  if (!unsigned) return;
  throw new S3Error('AccessDenied', {
    message: 'There were headers present in the request which were not signed',
    extra: { HeadersNotSigned: unsigned.join(', ') },
  });
}

/** Every value of every header, those of a repeated one joined by commas in the order sent. */
function allValues(rawHeaders: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    const value = canonicalHeaderValue(rawHeaders[i + 1] as string);
    const before = values.get(name);
    values.set(name, before === undefined ? value : `${before},${value}`);
  }
  return values;
}
