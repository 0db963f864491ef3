import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Metrics } from '../common/metrics.ts';
import type { Readiness } from './readiness.ts';
import { object, type Schema, text } from './route.ts';

/** A route that needs no signature, as far as it is described. */
export interface OpenRoute {
  readonly name: string;
  readonly path: string;
  readonly summary: string;
  /** By HTTP status. */
  readonly answers: Readonly<
    Record<number, { readonly description: string; readonly type: string; readonly schema: Schema }>
  >;
}

const json = 'application/json';

export const openRoutes: readonly OpenRoute[] = [
  {
    name: 'Health',
    path: '/healthz',
    summary: 'Whether the process answers',
    answers: { 200: { description: 'It does', type: json, schema: object({ status: text }, ['status']) } },
  },
  {
    name: 'Ready',
    path: '/readyz',
    summary: 'Whether the node may be sent requests',
    answers: {
      200: {
        description: 'It may; what there is to tell of its parts stands beside',
        type: json,
        schema: { ...object({ status: text }, ['status']), additionalProperties: true },
      },
      503: {
        description: 'It may not; the message says what it waits for',
        type: json,
        schema: object({ code: { type: 'string', const: 'NotReady' }, message: text }, ['code', 'message']),
      },
    },
  },
  {
    name: 'Metrics',
    path: '/metrics',
    summary:
      "The node's metrics; from other machines they take a signature, unless the setting metrics.public is on",
    answers: {
      200: { description: "In Prometheus' text format", type: 'text/plain', schema: text },
      403: { description: 'Not from there', type: json, schema: { $ref: '#/components/schemas/Failure' } },
    },
  },
];

/**
 * `/healthz` (the process answers) and `/readyz` (it may be sent requests: 200, otherwise 503 with the reason) need no key.
 * `/metrics` is open to callers on the machine itself, or to all by setting; `guard` throws for anybody else who is not an administrator.
 */
export function addHealthRoutes(
  server: FastifyInstance,
  readiness: Readiness,
  metrics: Metrics,
  guard: (request: FastifyRequest) => void,
  settings: { readonly metricsPublic: boolean },
): void {
  server.get('/healthz', { config: { name: 'Health' } }, async () => ({ status: 'ok' }));
  server.get('/readyz', { config: { name: 'Ready' } }, async (_request, reply) => {
    const reason = readiness.reasonNotReady();
    if (reason === undefined) return { status: 'ready', ...readiness.details() };
    return reply.status(503).send({ code: 'NotReady', message: reason });
  });
  server.get('/metrics', { config: { name: 'Metrics' } }, async (request, reply) => {
    if (!settings.metricsPublic && !isLoopback(request.raw.socket.remoteAddress)) guard(request);
    return reply.type(metrics.registry.contentType).send(await metrics.text());
  });
}

/** RFC 1122, 3.2.1.3 (127.0.0.0/8) and RFC 4291, 2.5.3 (::1), also as IPv4 addresses look on an IPv6 socket. */
export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false;
  return address === '::1' || /^(::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(address);
}
