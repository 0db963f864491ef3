import { HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { formatAmzDate } from '../common/amz-date.ts';
import type { Clock } from '../common/clock.ts';
import type { HmacKey } from '../common/hmac-key.ts';
import {
  canonicalHeaderValue,
  canonicalRequest,
  deriveSigningKey,
  sign,
  signingAlgorithm,
  stringToSign,
} from '../common/sigv4.ts';
import { UfsError } from './errors.ts';
import type { ChunkSeed } from './s3-chunks.ts';
import { stopBeforeSending, type WireRequest } from './s3-wire.ts';

/** Where objects' requests go, and for which region and service they are signed. */
export interface ObjectDestination {
  readonly protocol: string;
  readonly hostname: string;
  readonly port: number | undefined;
  /** As the Host header has it. */
  readonly host: string;
  /** What stands before an object's key in the path, percent-encoded; ends with a slash. */
  readonly pathPrefix: string;
  readonly region: string;
  readonly service: string;
}

/** What is signed of a request; everything in its form on the wire. */
export interface Signable {
  readonly method: string;
  readonly path: string;
  /** Parameters in order of their names. */
  readonly query: string;
  /** Names in lower case. `x-amz-content-sha256` is among them. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface Signed {
  readonly headers: Record<string, string>;
  readonly seed: ChunkSeed;
}

/** Headers that proxies change or that belong to the connection: the SDKs leave them unsigned too. */
const unsigned: ReadonlySet<string> = new Set([
  'cache-control',
  'connection',
  'content-length',
  'expect',
  'user-agent',
]);
const sampleKey = 'key';
/** A clock that is wrong by less is right enough for S3, which allows a quarter of an hour. */
const skewMs = 300_000;

/**
 * Signs requests for objects with what the SDK knows: its credentials, and the host, region and service that it would use. These
 * last are asked of it once, by a request that is not sent.
 */
export class S3Signer {
  readonly #clock: Clock;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #uri: string;
  #destination: Promise<ObjectDestination> | undefined;
  #key: { readonly name: string; readonly value: HmacKey } | undefined;
  /** How far the backend's clock is ahead of this one, where that matters. */
  #offsetMs = 0;

  constructor(clock: Clock, client: S3Client, bucket: string, uri: string) {
    this.#clock = clock;
    this.#client = client;
    this.#bucket = bucket;
    this.#uri = uri;
  }

  /** Rejects as the SDK does where it finds no endpoint, region or credentials; it is asked anew then. */
  destination(): Promise<ObjectDestination> {
    this.#destination ??= this.#ask().catch((error) => {
      this.#destination = undefined;
      throw error;
    });
    return this.#destination;
  }

  async sign(request: Signable, to: ObjectDestination): Promise<Signed> {
    const { accessKeyId, secretAccessKey, sessionToken } = await this.#client.config.credentials();
    const amzDate = formatAmzDate(this.#clock.nowMs() + this.#offsetMs);
    const headers: Record<string, string> = { ...request.headers, host: to.host, 'x-amz-date': amzDate };
    if (sessionToken !== undefined) headers['x-amz-security-token'] = sessionToken;
    const names = Object.keys(headers)
      .filter((name) => !unsigned.has(name))
      .sort();
    const signedHeaders = names.join(';');
    const date = amzDate.slice(0, 8);
    const scope = `${date}/${to.region}/${to.service}/aws4_request`;
    const text = canonicalRequest({
      method: request.method,
      path: request.path,
      query: request.query,
      headers: names.map((name) => [name, canonicalHeaderValue(headers[name] as string)] as const),
      signedHeaders,
      payloadHash: headers['x-amz-content-sha256'] as string,
    });
    const signingKey = this.#keyOf(secretAccessKey, date, to);
    const signature = sign(signingKey, stringToSign(amzDate, scope, text));
    headers.authorization = `${signingAlgorithm} Credential=${accessKeyId}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
    return { headers, seed: { signingKey, amzDate, scope, signature } };
  }

  /** The backend refused a request and said what time it has: if that is why, the next one goes by its clock. */
  refusedAt(date: string | undefined): void {
    const aheadMs = Date.parse(date ?? '') - this.#clock.nowMs();
    if (Math.abs(aheadMs - this.#offsetMs) >= skewMs) this.#offsetMs = aheadMs;
  }

  /** Kept for the one day, region and secret that are in use. */
  #keyOf(secret: string, date: string, { region, service }: ObjectDestination): HmacKey {
    const name = [date, region, service, secret].join('\n');
    if (this.#key?.name !== name) {
      this.#key = { name, value: deriveSigningKey(secret, date, region, service) };
    }
    return this.#key.value;
  }

  async #ask(): Promise<ObjectDestination> {
    const request = await this.#sample();
    const { protocol = '', hostname = '', port, path = '', headers } = request;
    const match = /Credential=[^,]*\/\d{8}\/([^/,]+)\/([^/,]+)\/aws4_request,/.exec(
      headers.authorization ?? '',
    );
    const [, region, service] = match ?? [];
    if (region === undefined || service === undefined || service === 's3express') {
      const message = 'requests to this kind of bucket are signed in a way that is not supported';
      throw new UfsError('not-implemented', message, { backend: this.#uri });
    }
    const pathPrefix = path.slice(0, -sampleKey.length);
    return { protocol, hostname, port, host: headers.host ?? hostname, pathPrefix, region, service };
  }

  async #sample(): Promise<WireRequest> {
    const stop = new Error('nothing is sent');
    let found: WireRequest | undefined;
    const command = new HeadObjectCommand({ Bucket: this.#bucket, Key: sampleKey });
    stopBeforeSending(command, 'signed', (request) => {
      found = request;
      throw stop;
    });
    try {
      await this.#client.send(command);
    } catch (error) {
      if (error !== stop) throw error;
    }
    return found as WireRequest;
  }
}
