import type { IncomingMessage } from 'node:http';
import type { Authenticated } from '../auth/authenticate.ts';
import { type Presigner, withoutSignature } from '../auth/presigner.ts';
import { type AtOnce, isPending } from '../common/at-once.ts';
import { canonicalPath, canonicalQuery, queryParameters } from '../common/sigv4.ts';
import type { ViewMember } from '../ring/ownership.ts';
import type { S3Request } from '../s3api/call.ts';
import { S3Error } from '../s3api/errors.ts';
import { encodePath } from '../s3api/percent.ts';

/** What may be sent elsewhere: it is about one object, and long. */
const operations: ReadonlySet<string> = new Set(['GetObject', 'HeadObject', 'PutObject', 'UploadPart']);
const routeHeader = 'x-forebay-route';

/** Says to which other node a request for an object would go. */
export type FindOwner = (bucket: string, key: string) => AtOnce<ViewMember | undefined>;

/**
 * Sends clients to the node that owns the object, where all requests are to go there or the request asks for it: with a URL that is signed
 * for this one request, in its client's name, for a short time. The client sends the headers of the request again.
 */
export class Redirects {
  readonly #findOwner: FindOwner;
  readonly #presigner: Presigner;
  readonly #mode: 'proxy' | 'redirect';

  constructor(findOwner: FindOwner, presigner: Presigner, mode: 'proxy' | 'redirect') {
    this.#findOwner = findOwner;
    this.#presigner = presigner;
    this.#mode = mode;
  }

  /** What answers the request; undefined if it is answered here. */
  find(
    req: IncomingMessage,
    request: S3Request,
    operation: string,
    authenticated: Authenticated,
  ): AtOnce<S3Error | undefined> {
    const asked = req.headers[routeHeader] ?? this.#mode;
    const { bucket, key } = request;
    if (asked !== 'redirect' || !operations.has(operation) || bucket === undefined || key === undefined)
      return undefined;
    // The signatures of chunks begin with that of the request, which would be another one.
    if (authenticated.payload.kind === 'signed-chunks') return undefined;
    const owner = this.#findOwner(bucket, key);
    const answer = (found: ViewMember | undefined) =>
      found && this.#answer(req, request, `/${bucket}/${encodePath(key)}`, authenticated, found);
    return isPending(owner) ? owner.then(answer) : answer(owner);
  }

  #answer(
    req: IncomingMessage,
    { method, rawTarget }: S3Request,
    path: string,
    { form, identity }: Authenticated,
    owner: ViewMember,
  ): S3Error | undefined {
    const question = rawTarget.indexOf('?');
    const parameters = question < 0 ? [] : queryParameters(rawTarget.slice(question + 1));
    const { host, origin } = new URL(owner.s3Url);
    const query =
      form === 'anonymous'
        ? canonicalQuery(withoutSignature(parameters))
        : this.#presigner.queryOf(identity.accessKeyId, {
            method,
            path: canonicalPath(path),
            parameters,
            host,
            headers: signedHeaders(req.rawHeaders),
            payloadHash: String(req.headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD'),
          });
    if (query === undefined) return undefined;
    const location = `${origin}${canonicalPath(path)}${query === '' ? '' : `?${query}`}`;
    return new S3Error('TemporaryRedirect', {
      headers: { location, 'x-forebay-owner': owner.workerId },
      extra: { Endpoint: host },
    });
  }
}

/** Headers that a request must not bring unsigned. Repeated ones are joined, as their canonical form is. */
function signedHeaders(rawHeaders: readonly string[]): [string, string][] {
  const values = new Map<string, string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    if (!name.startsWith('x-amz-')) continue;
    const before = values.get(name);
    const value = rawHeaders[i + 1] as string;
    values.set(name, before === undefined ? value : `${before},${value}`);
  }
  return [...values];
}
