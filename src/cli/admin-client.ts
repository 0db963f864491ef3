import { createHash, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import { hostname, userInfo } from 'node:os';
import {
  type ConnectionOptions,
  checkServerIdentity,
  type PeerCertificate,
  rootCertificates,
} from 'node:tls';
import aws4 from 'aws4';
import { lastKnownHeader } from '../admin/last-known.ts';
import { readVersion } from './commands/version.ts';
import { CommandError } from './errors.ts';
import { findRootCredentials, rootCredentialsPath } from './node-secrets.ts';
import type { RootCredentials } from './running-node.ts';
import type { Settings } from './settings-table.ts';

const timeoutMs = 60_000;
const maximumAnswerBytes = 16 * 1024 * 1024;

interface AdminTarget {
  /** What the audit log says of where a change came from. */
  readonly agent: string;
  readonly url: URL;
  readonly key: RootCredentials;
  readonly region: string;
  readonly tls: ConnectionOptions;
}

export interface AdminAnswer {
  readonly json: unknown;
  /** The node does not hear from the coordination store: it may be otherwise by now. */
  readonly isLastKnown: boolean;
}

/** The admin API of a node, as its only client. Every failure is a `CommandError` that says what to do. */
export class AdminClient {
  private readonly target: AdminTarget;

  private constructor(target: AdminTarget) {
    this.target = target;
  }

  /**
   * The node is that of `FOREBAY_ADMIN_URL`, with the key of `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`; or the one that the
   * settings describe, with the root credentials of its data folder. What is missing of the one is taken from the other.
   */
  static async open(
    settings: Settings,
    environment: Readonly<Record<string, string | undefined>>,
  ): Promise<AdminClient> {
    const given = environment.FOREBAY_ADMIN_URL || undefined;
    const url = given === undefined ? urlOf(settings) : parseUrl(given);
    const key = await chooseKey(settings, environment, given !== undefined);
    const tls = given === undefined ? await trustOwn(settings) : {};
    return new AdminClient({
      agent: `forebay/${await readVersion()} ${whoIsHere()}`,
      url,
      key,
      region: settings.region,
      tls,
    });
  }

  /** `path` is percent-encoded. */
  async call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<AdminAnswer> {
    const { url, key, region } = this.target;
    const text = body === undefined ? '' : JSON.stringify(body);
    const signed = aws4.sign(
      {
        method,
        path,
        host: url.host,
        service: 'forebay',
        region,
        body: text,
        headers: {
          'User-Agent': this.target.agent,
          'X-Amz-Content-Sha256': createHash('sha256').update(text).digest('hex'),
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        },
      },
      key,
    );
    const answer = await this.send(method, path, signed.headers as Record<string, string>, text);
    return { json: this.judge(method, answer), isLastKnown: answer.isLastKnown };
  }

  private async send(
    method: string,
    path: string,
    headers: Record<string, string>,
    body: string,
  ): Promise<{ status: number; isLastKnown: boolean; text: string }> {
    const { url, tls } = this.target;
    const options: RequestOptions = {
      ...tls,
      method,
      path,
      headers,
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port || (url.protocol === 'https:' ? 443 : 80),
      signal: AbortSignal.timeout(timeoutMs),
      agent: false,
    };
    try {
      const request = url.protocol === 'https:' ? httpsRequest(options) : httpRequest(options);
      const response = await responseOf(request, body);
      const isLastKnown = response.headers[lastKnownHeader] !== undefined;
      return { status: response.statusCode ?? 0, isLastKnown, text: await textOf(response) };
    } catch (error) {
      const { code, name, message } = error as NodeJS.ErrnoException;
      const reason = name === 'TimeoutError' ? `no answer for ${timeoutMs / 1000} s` : (code ?? message);
      throw new CommandError(
        `cannot reach the admin port ${url.origin} (${reason}): is the node running? Start it with forebay serve, or set FOREBAY_ADMIN_URL to where it is`,
        true,
      );
    }
  }

  private judge(method: string, answer: { status: number; text: string }): unknown {
    const { url, key } = this.target;
    let json: unknown;
    try {
      json = JSON.parse(answer.text);
    } catch {
      throw new CommandError(
        `${url.origin} answered ${answer.status} and no JSON: is it the admin port of a node?`,
      );
    }
    if (answer.status >= 200 && answer.status < 300) return json;
    const { code, message } = json as { code?: string; message?: string };
    if (code === 'InvalidAccessKeyId' || code === 'SignatureDoesNotMatch') {
      throw new CommandError(
        `the node does not accept the access key ${key.accessKeyId} (${code}): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to an administrator's, with FOREBAY_ADMIN_URL`,
      );
    }
    const isUnsure = code === 'StoreUnavailable' && method !== 'GET';
    const advice = isUnsure ? '; the change may have been made: look again when forebay status is well' : '';
    throw new CommandError(
      `${message ?? `the node answered ${answer.status}`}${advice}`,
      answer.status === 503,
    );
  }
}

/** The person at this machine, as the system has it: many may share one access key. */
function whoIsHere(): string {
  const ascii = (text: string) => text.replaceAll(/[^\w.-]/g, '_').slice(0, 64);
  try {
    return `${ascii(userInfo().username)}@${ascii(hostname())}`;
  } catch {
    // A user without an entry in the system's list, as in some containers.
    return `${process.getuid?.() ?? 'somebody'}@${ascii(hostname())}`;
  }
}

function urlOf(settings: Settings): URL {
  const port = settings['admin.port'];
  if (port === 0) {
    throw new CommandError('the node took any free admin port: set FOREBAY_ADMIN_URL to what it printed');
  }
  const scheme = settings['tls.cert'] === undefined ? 'http' : 'https';
  // A node that listens everywhere also listens here.
  const everywhere = new Map([
    ['0.0.0.0', '127.0.0.1'],
    ['::', '::1'],
  ]);
  const host = everywhere.get(settings.host) ?? settings.host;
  return new URL(`${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`);
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.username === '') return url;
  throw new CommandError(`FOREBAY_ADMIN_URL must be like http://127.0.0.1:9001, not ${JSON.stringify(text)}`);
}

async function chooseKey(
  settings: Settings,
  environment: Readonly<Record<string, string | undefined>>,
  environmentFirst: boolean,
): Promise<RootCredentials> {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = environment;
  const fromEnvironment = accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined;
  if (environmentFirst && fromEnvironment) return fromEnvironment;
  const key = (await findRootCredentials(settings)) ?? fromEnvironment;
  if (key) return key;
  throw new CommandError(
    `no credentials: there is no ${rootCredentialsPath(settings)}. Set --data to the node's data folder, or FOREBAY_ADMIN_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`,
  );
}

/** The node's own certificate is trusted as it lies in its file, whatever names are in it. */
async function trustOwn(settings: Settings): Promise<ConnectionOptions> {
  const path = settings['tls.cert'];
  if (path === undefined) return {};
  const cert = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(`cannot read the certificate ${path} (${error.code})`);
  });
  const own = new X509Certificate(cert).raw;
  const options = {
    ca: [cert, ...rootCertificates],
    allowPartialTrustChain: true,
    checkServerIdentity: (host: string, peer: PeerCertificate) =>
      peer.raw.equals(own) ? undefined : checkServerIdentity(host, peer),
  };
  return options;
}

function responseOf(request: ClientRequest, body: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', reject);
    request.end(body);
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response) {
    sizeBytes += (chunk as Buffer).length;
    if (sizeBytes > maximumAnswerBytes) throw new Error('the answer is too large');
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}
