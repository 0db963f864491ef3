import type { HmacKey } from '../common/hmac-key.ts';
import { deriveSigningKey } from '../common/sigv4.ts';
import type { CredentialParts } from './signature-claim.ts';

/** A credential that was found to name this endpoint, and the key that signs under it. */
export interface SigningEntry {
  readonly parts: CredentialParts;
  /** `date/region/service/aws4_request`. */
  readonly scope: string;
  readonly key: HmacKey;
  /** The secret the key was derived from, so that a key given anew under the same id is derived anew. */
  readonly secret: string;
}

/**
 * Signing keys by the credential string as sent, the oldest dropped when it is full. Only credentials of known access
 * keys come in here, each for this region and service and a few days, so that strangers cannot flush it.
 */
export class SigningKeys {
  private readonly entries = new Map<string, SigningEntry>();
  private readonly maximumCount: number;

  constructor(settings: { readonly maximumCount: number }) {
    this.maximumCount = settings.maximumCount;
  }

  peek(credential: string): SigningEntry | undefined {
    return this.entries.get(credential);
  }

  derive(credential: string, parts: CredentialParts, secret: string): SigningEntry {
    const { date, region, service } = parts;
    const key = deriveSigningKey(secret, date, region, service);
    const entry = { parts, scope: `${date}/${region}/${service}/aws4_request`, key, secret };
    this.entries.delete(credential);
    if (this.entries.size >= this.maximumCount) {
      const oldest = this.entries.keys().next().value;
      if (oldest !== undefined) this.entries.delete(oldest);
    }
    this.entries.set(credential, entry);
    return entry;
  }
}
