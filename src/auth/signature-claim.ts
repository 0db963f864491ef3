import { type CanonicalParameters, signingAlgorithm } from '../common/sigv4.ts';
import { invalidArgument, S3Error } from '../s3api/errors.ts';

/** What a request says about its own signature, before anything of it is believed. */
export interface SignatureClaim {
  readonly form: 'header' | 'query';
  /** `accessKeyId/date/region/service/aws4_request`, as sent. */
  readonly credential: string;
  /** Header names parted by `;`, as sent. */
  readonly signedHeaders: string;
  readonly signature: string;
}

/** A claim in the query also says when it was made and how long it lasts. */
export interface PresignedClaim extends SignatureClaim {
  readonly form: 'query';
  readonly amzDate: string;
  readonly expires: string;
}

export interface CredentialParts {
  readonly accessKeyId: string;
  /** `yyyymmdd`. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

const notSupported =
  'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.';

/** `region` is the one to sign for, where another was. A HEAD has no body to say it, so a header does (S3 API, HeadBucket). */
export function headerMalformed(reason: string, region?: string): S3Error {
  return new S3Error('AuthorizationHeaderMalformed', {
    message: `The authorization header is malformed; ${reason}`,
    ...(region === undefined
      ? {}
      : { extra: { Region: region }, headers: { 'x-amz-bucket-region': region } }),
  });
}

export function queryMalformed(message?: string): S3Error {
  return new S3Error('AuthorizationQueryParametersError', { message });
}

/**
 * Reads `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`, with or without spaces after the commas.
 * InvalidArgument, InvalidRequest (Signature Version 2), NotImplemented (4A), AuthorizationHeaderMalformed.
 */
export function parseAuthorization(value: string): SignatureClaim {
  const space = value.indexOf(' ');
  if (space < 0) {
    const message = "Authorization header is invalid -- one and only one ' ' (space) required";
    throw invalidArgument('Authorization', value, message);
  }
  const usual = parseUsual(value);
  if (usual) return usual;
  checkAlgorithm(value.slice(0, space), value);
  const found: Record<string, string | undefined> = {
    Credential: undefined,
    SignedHeaders: undefined,
    Signature: undefined,
  };
  for (let at = space + 1; at < value.length; ) {
    const comma = value.indexOf(',', at);
    const end = comma < 0 ? value.length : comma;
    const component = value.slice(at, end).trim();
    const equals = component.indexOf('=');
    const name = component.slice(0, equals);
    if (equals < 0) throw headerMalformed(`the authorization component "${component}" is malformed.`);
    if (!Object.hasOwn(found, name) || found[name] !== undefined) {
      throw headerMalformed(
        'the authorization header requires three components: Credential, SignedHeaders, and Signature.',
      );
    }
    found[name] = component.slice(equals + 1);
    at = end + 1;
  }
  const { Credential: credential, SignedHeaders: signedHeaders, Signature: signature } = found;
  if (!credential) throw headerMalformed('missing Credential.');
  if (!signedHeaders) throw headerMalformed('missing SignedHeaders.');
  if (!signature) throw headerMalformed('missing Signature.');
  return { form: 'header', credential, signedHeaders, signature };
}

const credentialStart = `${signingAlgorithm} Credential=`;
const signedHeadersStart = ' SignedHeaders=';
const signatureStart = ' Signature=';

/** The header as every SDK writes it: in this order, with one space after each comma. Undefined for any other, right or wrong. */
function parseUsual(value: string): SignatureClaim | undefined {
  if (!value.startsWith(credentialStart)) return undefined;
  const first = value.indexOf(',', credentialStart.length);
  if (first < 0 || !value.startsWith(signedHeadersStart, first + 1)) return undefined;
  const second = value.indexOf(',', first + 1);
  if (second < 0 || !value.startsWith(signatureStart, second + 1)) return undefined;
  const credential = value.slice(credentialStart.length, first);
  const signedHeaders = value.slice(first + 1 + signedHeadersStart.length, second);
  const signature = value.slice(second + 1 + signatureStart.length);
  const isPlain = plainPart.test(credential) && plainPart.test(signedHeaders) && plainPart.test(signature);
  return isPlain ? { form: 'header', credential, signedHeaders, signature } : undefined;
}

/** Not empty, without blanks or commas. */
const plainPart = /^[!-+\--~]+$/;

function checkAlgorithm(algorithm: string, value: string): void {
  if (algorithm === signingAlgorithm) return;
  if (algorithm === 'AWS') throw new S3Error('InvalidRequest', { message: notSupported });
  if (algorithm === 'AWS4-ECDSA-P256-SHA256') {
    throw new S3Error('NotImplemented', { message: notSupported });
  }
  throw invalidArgument('Authorization', value, 'Unsupported Authorization Type');
}

const queryNames = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Signature',
] as const;

/** Whether the query carries credentials of any kind, Signature Version 2's included. */
export function hasQueryCredentials(parameters: CanonicalParameters): boolean {
  return parameters.some(
    ([name]) =>
      name === 'X-Amz-Algorithm' ||
      name === 'X-Amz-Credential' ||
      name === 'X-Amz-Signature' ||
      name === 'AWSAccessKeyId' ||
      name === 'Signature',
  );
}

/**
 * Reads the six parameters of a presigned request; each must be there once.
 * AuthorizationQueryParametersError, InvalidRequest (Signature Version 2), NotImplemented (4A).
 */
export function parsePresigned(parameters: CanonicalParameters): PresignedClaim {
  const found = new Map<string, string>();
  for (const [name, value] of parameters) {
    if (!(queryNames as readonly string[]).includes(name)) continue;
    // Two values would leave it open which of them was signed for.
    if (found.has(name)) throw queryMalformed();
    found.set(name, decodeURIComponentOr(value));
  }
  if (found.size === 0) throw new S3Error('InvalidRequest', { message: notSupported });
  const value = (name: (typeof queryNames)[number]): string => {
    const text = found.get(name);
    if (!text) throw queryMalformed();
    return text;
  };
  const algorithm = value('X-Amz-Algorithm');
  if (algorithm === 'AWS4-ECDSA-P256-SHA256') {
    throw new S3Error('NotImplemented', { message: notSupported });
  }
  if (algorithm !== signingAlgorithm) {
    throw queryMalformed('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"');
  }
  return {
    form: 'query',
    credential: value('X-Amz-Credential'),
    signedHeaders: value('X-Amz-SignedHeaders'),
    signature: value('X-Amz-Signature'),
    amzDate: value('X-Amz-Date'),
    expires: value('X-Amz-Expires'),
  };
}

/** Bytes that are no UTF-8 stay encoded: no valid parameter has any, so the checks that follow refuse it. */
function decodeURIComponentOr(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/**
 * Takes the credential apart and holds it against this endpoint's region and service.
 * AuthorizationHeaderMalformed, with the right region where the region is wrong, or AuthorizationQueryParametersError.
 */
export function parseCredential(
  claim: SignatureClaim,
  endpoint: { readonly region: string; readonly service: string },
): CredentialParts {
  const refuse = (reason: string, rightRegion?: string): S3Error =>
    claim.form === 'header'
      ? headerMalformed(reason, rightRegion)
      : queryMalformed(`Error parsing the X-Amz-Credential parameter; ${reason}`);
  const parts = claim.credential.split('/');
  const [accessKeyId, date, region, service, terminal] = parts;
  if (parts.length !== 5 || !accessKeyId || date === undefined) {
    throw refuse(
      'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
    );
  }
  if (!/^\d{8}$/.test(date)) {
    throw refuse(
      `incorrect date format "${date}". This date in the credential must be in the format "yyyyMMdd".`,
    );
  }
  if (terminal !== 'aws4_request') {
    throw refuse(`incorrect terminal "${terminal}". This endpoint uses "aws4_request".`);
  }
  if (service !== endpoint.service) {
    throw refuse(`incorrect service "${service}". This endpoint belongs to "${endpoint.service}".`);
  }
  if (region !== endpoint.region) {
    throw refuse(`the region '${region}' is wrong; expecting '${endpoint.region}'`, endpoint.region);
  }
  return { accessKeyId, date, region, service };
}
