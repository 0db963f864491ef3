import { lookup } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { CallOptions, ReachStep } from './backend.ts';
import { UfsError } from './errors.ts';
import { usesProxy } from './proxy-bypass.ts';
import type { S3Parts } from './s3.ts';
import { adviceOn, isAboutSignature } from './s3-advice.ts';
import { trust } from './s3-client.ts';
import { orAborted } from './s3-connection.ts';
import type { S3BackendSettings } from './s3-settings.ts';
import type { Destination } from './s3-wire.ts';

type Steps = AsyncGenerator<ReachStep, void, undefined>;

/** The way to a bucket: credentials, name, connection, TLS, signature, and the bucket itself. */
export async function* reachS3(parts: S3Parts, { signal }: CallOptions): Steps {
  const { connection, place, lister, settings } = parts;
  const list = () => new ListObjectsV2Command({ Bucket: place.bucket, Prefix: place.prefix, MaxKeys: 1 });
  let destination: Destination;
  try {
    const id = await connection.accessKeyId(signal);
    const origin = settings.credentials ? 'given with the mount' : 'found by the search of the AWS SDK';
    yield ok('credentials', `the access key ${id}, ${origin}`);
    destination = await connection.destination(list(), signal);
  } catch (error) {
    yield failed('credentials', adviceOn(error, settings));
    return;
  }
  let failure: ReachStep | undefined;
  for await (const step of reachHost(parts, destination, signal)) {
    yield step;
    if (step.result === 'failed') failure = step;
  }
  if (failure) return;
  try {
    await lister.list({ prefix: '', limit: 1, signal });
  } catch (error) {
    const signature = error instanceof UfsError && isAboutSignature(error.code);
    if (!signature && isAnswer(error)) yield ok('signature', 'the storage accepts the signature');
    yield failed(signature || !isAnswer(error) ? 'signature' : 'bucket', adviceOn(error, settings));
    return;
  }
  yield ok('signature', 'the storage accepts the signature');
  yield ok('bucket', `${place.bucket} is there and can be listed`);
}

/** An error that tells of an answer by an S3 server, and not of what lies between. */
function isAnswer(error: unknown): boolean {
  return (
    error instanceof UfsError &&
    error.code !== undefined &&
    error.code !== 'NoS3Answer' &&
    error.kind !== 'timeout' &&
    !/^E[A-Z]+$/.test(error.code)
  );
}

async function* reachHost(
  { settings }: S3Parts,
  destination: Destination,
  signal: AbortSignal | undefined,
): Steps {
  // Through a proxy only the proxy itself is reached from here.
  const proxy = proxyOf(settings, destination);
  const host = bare(proxy?.hostname ?? destination.hostname);
  const port = proxy ? Number(proxy.port || 80) : destination.port;
  const whose = proxy ? 'the proxy ' : '';
  if (!isIP(host)) {
    try {
      const addresses = await orAborted(lookup(host, { all: true }), signal);
      yield ok('resolve', `${whose}${host} is ${addresses.map(({ address }) => address).join(', ')}`);
    } catch (error) {
      const virtual = settings.pathStyle === false && settings.endpoint !== undefined && !proxy;
      const hint = virtual ? ', or give --path-style if the bucket does not go into the host name' : '';
      const code = signal?.aborted ? 'no answer in time' : codeOf(error);
      yield failed('resolve', `the name ${host} has no address (${code}): check --endpoint${hint}`);
      return;
    }
  }
  try {
    (await opened(connect({ host, port }), 'connect', signal)).destroy();
    yield ok('connect', `${whose}${host} port ${port} takes connections`);
  } catch (error) {
    yield failed(
      'connect',
      `${whose}${host} port ${port} takes no connection (${codeOf(error)}): check host and port of the endpoint, whether the storage runs, and firewalls`,
    );
    return;
  }
  if (proxy || destination.protocol !== 'https:') return;
  try {
    const servername = isIP(host) ? undefined : host;
    (
      await opened(connectTls({ host, port, servername, ...trust(settings) }), 'secureConnect', signal)
    ).destroy();
    yield ok('tls', `the certificate of ${host} is trusted`);
  } catch (error) {
    yield failed('tls', tlsAdvice(host, codeOf(error), (error as Error).message));
  }
}

function proxyOf({ proxyUrl, noProxy }: S3BackendSettings, to: Destination): URL | undefined {
  if (proxyUrl === undefined || !usesProxy(bare(to.hostname), to.port, noProxy)) return undefined;
  return new URL(proxyUrl);
}

/** Of an IPv6 address without the brackets that it has in URLs. */
function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}

function tlsAdvice(host: string, code: string, message: string): string {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `the certificate is not for ${host}: use the name that it is for, or --path-style if only the name without the bucket is in it (${message})`;
  }
  if (code === 'CERT_HAS_EXPIRED') return `the certificate of ${host} has expired: renew it`;
  if (/SSL|EPROTO|ECONNRESET/.test(code)) {
    return `${host} does not speak TLS there (${code}): write the endpoint with http://, or another port`;
  }
  return `the certificate of ${host} is not trusted (${code}): give the authority that signed it with the setting backend.caFile`;
}

/** The socket once `event` has come. */
function opened(socket: Socket, event: string, signal: AbortSignal | undefined): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const stop = () =>
      socket.destroy(Object.assign(new Error('it did not answer in time'), { code: 'no answer' }));
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop, { once: true });
    const done = () => signal?.removeEventListener('abort', stop);
    socket.once(event, () => {
      done();
      resolve(socket);
    });
    socket.on('error', (error) => {
      done();
      reject(error);
    });
  });
}

function codeOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return String(code ?? message);
}

function ok(name: ReachStep['name'], detail: string): ReachStep {
  return { name, result: 'ok', detail };
}

function failed(name: ReachStep['name'], detail: string): ReachStep {
  return { name, result: 'failed', detail };
}
