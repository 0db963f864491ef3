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
/** Lists longer than this are not kept. */
const maximumKeptCharacters = 512;
const maximumKeptLists = 64;

/** The names in a claim's `signedHeaders`, and where each stands (the first place, if it is there twice). */
interface SignedNames {
  readonly names: readonly string[];
  readonly places: ReadonlyMap<string, number>;
}

/** Reads which headers a client signed. The lists that come again and again are kept taken apart, the newest ones. */
export class SignedHeaders {
  private readonly kept = new Map<string, SignedNames>();

  /**
   * The canonical values of the headers that the client says it signed, in its order; of a repeated header every value, joined by commas
   * in the order sent.
   *
   * AccessDenied where `host` or an `x-amz-` header of the request is not among them. A header that is signed but not there
   * has no value that could be canonical; it is given one that no client can have signed, so that the comparison fails.
   */
  read(claim: SignatureClaim, { rawHeaders }: SignableHeaders): (readonly [name: string, value: string])[] {
    const { names, places } = this.namesOf(claim);
    const values: (string | undefined)[] = new Array(names.length).fill(undefined);
    let unsigned: Set<string> | undefined;
    if (!places.has('host')) unsigned = new Set(['host']);
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const sent = rawHeaders[i] as string;
      // Many clients send names as they sign them.
      let place = places.get(sent);
      const name = place === undefined ? sent.toLowerCase() : sent;
      place ??= places.get(name);
      if (place !== undefined) {
        const value = canonicalHeaderValue(rawHeaders[i + 1] as string);
        const before = values[place];
        values[place] = before === undefined ? value : `${before},${value}`;
      } else if (name.startsWith('x-amz-')) {
        unsigned ??= new Set();
        unsigned.add(name);
      }
    }
    if (unsigned) throw notAllSigned(unsigned);
    return names.map((name) => [name, values[places.get(name) as number] ?? missing]);
  }

  private namesOf(claim: SignatureClaim): SignedNames {
    const { signedHeaders } = claim;
    const kept = this.kept.get(signedHeaders);
    if (kept) return kept;
    const names = signedHeaders.split(';');
    if (names.length > maximumSignedHeaders) {
      throw claim.form === 'header'
        ? headerMalformed('too many SignedHeaders.')
        : queryMalformed('Too many headers in X-Amz-SignedHeaders.');
    }
    const places = new Map<string, number>();
    for (const [place, name] of names.entries()) if (!places.has(name)) places.set(name, place);
    const found = { names, places };
    if (signedHeaders.length <= maximumKeptCharacters) this.keep(signedHeaders, found);
    return found;
  }

  private keep(signedHeaders: string, names: SignedNames): void {
    if (this.kept.size >= maximumKeptLists) {
      const [oldest] = this.kept.keys();
      if (oldest !== undefined) this.kept.delete(oldest);
    }
    this.kept.set(signedHeaders, names);
  }
}

/** A line feed cannot be part of a header's value. */
const missing = '\n(absent)';

function notAllSigned(unsigned: ReadonlySet<string>): S3Error {
  return new S3Error('AccessDenied', {
    message: 'There were headers present in the request which were not signed',
    extra: { HeadersNotSigned: [...unsigned].join(', ') },
  });
}
