import { lookup } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { abortable } from '../common/abortable.ts';
import type { CallOptions } from './backend.ts';
import { trust } from './http-exchange.ts';
import { usesProxy } from './proxy-bypass.ts';
import type { ReachStep } from './reach-step.ts';
import type { Destination } from './s3-wire.ts';

/** How a host is reached. */
interface Network {
  readonly caPem?: string;
  readonly proxyUrl?: string;
  readonly noProxy?: string;
}

/**
 * Name, connection and TLS of the host that requests go to, or of the proxy that they go through. `hint`: what else to look at where the
 * name is not known.
 */
export async function* reachHost(
  settings: Network,
  destination: Destination,
  { signal, hint = '' }: CallOptions & { readonly hint?: string } = {},
): AsyncGenerator<ReachStep, void, undefined> {
  // Through a proxy only the proxy itself is reached from here.
  const proxy = proxyOf(settings, destination);
  const host = bare(proxy?.hostname ?? destination.hostname);
  const port = proxy ? Number(proxy.port || 80) : destination.port;
  const whose = proxy ? 'the proxy ' : '';
  if (!isIP(host)) {
    try {
      const addresses = await abortable(lookup(host, { all: true }), signal);
      yield ok('resolve', `${whose}${host} is ${addresses.map(({ address }) => address).join(', ')}`);
    } catch (error) {
      const code = signal?.aborted ? 'no answer in time' : codeOf(error);
      yield failed(
        'resolve',
        `the name ${host} has no address (${code}): check --endpoint${proxy ? '' : hint}`,
      );
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

function proxyOf({ proxyUrl, noProxy }: Network, to: Destination): URL | undefined {
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

export function ok(name: ReachStep['name'], detail: string): ReachStep {
  return { name, result: 'ok', detail };
}

export function failed(name: ReachStep['name'], detail: string): ReachStep {
  return { name, result: 'failed', detail };
}
