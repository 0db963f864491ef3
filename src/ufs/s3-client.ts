import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client } from '@aws-sdk/client-s3';
import { trust } from './http-exchange.ts';
import type { S3BackendSettings, S3Tuning } from './s3-settings.ts';
import type { Agents } from './s3-transport.ts';

/**
 * The SDK's client as this backend uses it: one attempt a call, no checksums of its own making, own agents (so that the
 * custom CA, the proxy and the bound on connections hold for every request).
 */
export function createS3Client(
  settings: S3BackendSettings,
  tuning: S3Tuning,
): { readonly client: S3Client; readonly agents: Agents } {
  const { endpoint, region, pathStyle, credentials, profile } = settings;
  const agentOptions = {
    keepAlive: true,
    maxSockets: tuning.maxConnections,
    timeout: tuning.keepIdleMs,
    ...(settings.proxyUrl === undefined
      ? {}
      : {
          proxyEnv: {
            HTTP_PROXY: settings.proxyUrl,
            HTTPS_PROXY: settings.proxyUrl,
            NO_PROXY: settings.noProxy,
          },
        }),
  };
  const agents = {
    http: new HttpAgent(agentOptions),
    https: new HttpsAgent({ ...agentOptions, ...trust(settings) }),
  };
  const client = new S3Client({
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    logger: quiet,
    // A mount lies where it says: AWS_ENDPOINT_URL and a profile's endpoint_url are for other programs.
    ignoreConfiguredEndpointUrls: true,
    forcePathStyle: pathStyle ?? endpoint !== undefined,
    sha256: WireSha256,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined && endpoint === undefined ? {} : { region: region ?? 'us-east-1' }),
    ...(credentials === undefined ? {} : { credentials: { ...credentials } }),
    ...(profile === undefined ? {} : { profile }),
    requestHandler: {
      connectionTimeout: tuning.connectTimeoutMs,
      socketAcquisitionWarningTimeout: 0x7fffffff,
      httpAgent: agents.http,
      httpsAgent: agents.https,
    },
  });
  return { client, agents };
}

/** What the SDK would log is in the errors already; by itself it writes to the console. */
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * SHA-256 and its HMAC for the SDK's signer. The signer gives a request's canonical form as UTF-8, but each character
 * of a header's value is one byte on the wire, and that byte is what the server hashes. Payload hashes do not come here:
 * `x-amz-content-sha256` is always set beforehand.
 */
class WireSha256 {
  private readonly secret: Uint8Array | string | undefined;
  private hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.secret = typeof secret === 'object' ? bytesOf(secret) : secret;
    this.hash = this.begin();
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    const bytes = typeof data === 'string' ? Buffer.from(data) : bytesOf(data);
    const isCanonicalRequest = this.secret === undefined && bytes.some((byte) => byte > 0x7f);
    this.hash.update(isCanonicalRequest ? Buffer.from(bytes.toString('utf8'), 'latin1') : bytes);
  }

  async digest(): Promise<Uint8Array> {
    return this.hash.digest();
  }

  reset(): void {
    this.hash = this.begin();
  }

  private begin(): Hash | Hmac {
    return this.secret === undefined ? createHash('sha256') : createHmac('sha256', this.secret);
  }
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Buffer {
  return ArrayBuffer.isView(data)
    ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    : Buffer.from(data);
}
