import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Log } from '../common/log.ts';
import type { Metrics } from '../common/metrics.ts';
import type { TlsDoor } from '../common/tls.ts';
import { AdminError, type AdminFailure, toAdminFailure } from './admin-error.ts';
import type { ChangeFacts } from './change-audit.ts';
import { addHealthRoutes } from './health.ts';
import { lastKnownHeader } from './last-known.ts';
import type { Readiness } from './readiness.ts';
import { type AdminCaller, admit, checkBody } from './request-guard.ts';
import {
  type AdminRequest,
  type AdminResponse,
  type AdminRoute,
  type AdminServices,
  nothing,
} from './route.ts';
import { adminRoutes } from './routes.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route's label in metrics and logs. */
    name?: string;
    /** Present where only administrators are let in. */
    route?: AdminRoute;
  }
  interface FastifyRequest {
    caller: AdminCaller | undefined;
    /** The change has been begun: how it ends is written down where it is made. */
    isBegun: boolean;
  }
  interface FastifyReply {
    /** `OK`, or the code of the failure. */
    outcome: string;
  }
}

export interface AdminServerSettings {
  readonly host: string;
  readonly port: number;
  readonly metricsPublic: boolean;
}

const maximumBodyBytes = 64 * 1024;
const maximumConnections = 256;
const requestTimeoutMs = 30_000;
/** `BUCKET/PREFIX`, percent-encoded, in one part of the path. */
const maximumParameterCharacters = 3000;

/** The admin port: health, metrics, and the signed routes of `routes.ts`. It may listen before the node is ready. */
export class AdminServer {
  private readonly log: Log;
  private readonly metrics: Metrics;
  private readonly settings: { -readonly [K in keyof AdminServerSettings]: AdminServerSettings[K] };
  private readonly server: Server;
  private readonly fastify: FastifyInstance;
  private services: AdminServices | undefined;

  constructor(
    log: Log,
    metrics: Metrics,
    readiness: Readiness,
    tls: TlsDoor | undefined,
    settings: AdminServerSettings,
  ) {
    this.log = log;
    this.metrics = metrics;
    this.settings = { ...settings };
    const options = { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs };
    this.server = tls ? tls.attach(createTlsServer({ ...tls.context(), ...options })) : createServer(options);
    this.server.maxConnections = maximumConnections;
    this.fastify = fastify({
      serverFactory: (handler) => this.server.on('request', handler),
      bodyLimit: maximumBodyBytes,
      routerOptions: { maxParamLength: maximumParameterCharacters },
      exposeHeadRoutes: false,
      // A body that is not as the schema says is refused, never bent until it fits.
      ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
    });
    this.addHooks();
    addHealthRoutes(this.fastify, readiness, metrics, (request) => this.admit(request), this.settings);
    for (const route of adminRoutes) this.addRoute(route);
  }

  tune({ metricsPublic }: Pick<AdminServerSettings, 'metricsPublic'>): void {
    this.settings.metricsPublic = metricsPublic;
  }

  /** Until this was called, every signed route answers 503. */
  open(services: AdminServices): void {
    this.services = services;
  }

  /** Rejects with Node's error (`code` EADDRINUSE …) if the port cannot be had. */
  async listen(): Promise<{ readonly port: number }> {
    await this.fastify.listen({ host: this.settings.host, port: this.settings.port });
    const address = this.server.address();
    return { port: typeof address === 'object' && address !== null ? address.port : this.settings.port };
  }

  /** Takes no new connection, lets requests under way end for `graceMs`, then cuts what is left. */
  async close(graceMs: number): Promise<void> {
    const closed = this.fastify.close();
    this.server.closeIdleConnections();
    const cut = setTimeout(() => this.server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(cut);
  }

  private addHooks(): void {
    const { fastify: server } = this;
    server.decorateRequest('caller', undefined);
    server.decorateRequest('isBegun', false);
    server.decorateReply('outcome', 'OK');
    server.removeAllContentTypeParsers();
    server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    );
    server.addHook('onRequest', async (request) => {
      if (request.routeOptions.config.route) this.admit(request);
    });
    server.addHook('preValidation', async (request) => {
      if (!request.caller) return;
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      checkBody(request.caller, body);
      if (Buffer.isBuffer(request.body)) request.body = parseJson(body);
    });
    server.addHook('onResponse', async (request, reply) => this.account(request, reply));
    server.setErrorHandler((error, request, reply) => this.fail(error, request, reply));
    server.setNotFoundHandler(async () => {
      throw new AdminError(404, 'NotFound', 'there is no such route');
    });
  }

  private addRoute(route: AdminRoute): void {
    // Others ask the coordination store, or change it.
    const tellsLastKnown = route.changes === 'nothing' && !route.fails?.includes('StoreUnavailable');
    this.fastify.route({
      method: route.method,
      url: route.path,
      config: { name: route.name, route },
      schema: {
        ...(route.body ? { body: route.body } : {}),
        querystring: route.query ?? nothing,
        response: { '2xx': route.answer },
      },
      handler: async (request, reply) => {
        const answer = await this.perform(route, request);
        const hearsNothing = this.services?.cluster?.standing.hasLease === false;
        if (hearsNothing && tellsLastKnown) reply.header(lastKnownHeader, 'true');
        return reply.status(answer.status).send(answer.body);
      },
    });
  }

  private perform(route: AdminRoute, request: FastifyRequest): Promise<AdminResponse> {
    const services = this.opened();
    if (route.changes === 'nothing') return route.handler(services, callOf(request));
    request.isBegun = true;
    return services.audit.run(route, services, factsOf(request), callOf(request));
  }

  /** A change that does not come to be begun is written down too. */
  private async noteRefused(request: FastifyRequest, failure: AdminFailure): Promise<void> {
    const { route } = request.routeOptions.config;
    if (!route || route.changes === 'nothing' || request.isBegun) return;
    await this.services?.audit.refused(route, factsOf(request), callOf(request), failure);
  }

  private admit(request: Pick<FastifyRequest, 'raw'> & { caller?: AdminCaller }): void {
    request.caller = admit(this.opened().authenticator, request.raw);
  }

  private opened(): AdminServices {
    if (this.services) return this.services;
    throw new AdminError(503, 'NotReady', 'the node is starting: ask /readyz what it waits for');
  }

  private async fail(error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const failure = toAdminFailure(error);
    if (!failure || failure.status >= 500) {
      this.log.error({ route: request.routeOptions.config.name, err: error }, 'an admin request failed');
    }
    const answered = failure ?? {
      status: 500,
      code: 'InternalError',
      message: 'the node failed at this; its log says why',
    };
    const { status, code, message } = answered;
    reply.outcome = code;
    await this.noteRefused(request, answered);
    // After a body that was not read to its end, the connection is of no use.
    if (status === 413) reply.header('connection', 'close');
    await reply.status(status).send({ code, message });
  }

  private account(request: FastifyRequest, reply: FastifyReply): void {
    const { name = 'Unknown', route } = request.routeOptions.config;
    this.metrics.adminRequests.inc({ route: name, code: reply.outcome });
    if (!route) return;
    this.log.info(
      {
        admin: name,
        target: request.url.slice(0, 2048),
        user: request.caller?.identity.userName,
        status: reply.statusCode,
        code: reply.outcome,
        ms: Math.round(reply.elapsedTime * 1000) / 1000,
        remote: request.raw.socket.remoteAddress,
      },
      'admin',
    );
  }
}

function callOf({ params, query, body }: FastifyRequest): AdminRequest {
  return {
    parameters: (params ?? {}) as Record<string, string>,
    query: (query ?? {}) as Record<string, string>,
    body,
  };
}

const claimedKey = /Credential=([A-Za-z0-9_.-]{3,128})\//;

/** Whose signature does not hold, or does not suffice, is nobody known who names a key. */
function factsOf({ caller, raw, url }: FastifyRequest): ChangeFacts {
  return {
    user: caller?.identity.userName,
    accessKeyId: caller?.identity.accessKeyId ?? claimedKey.exec(raw.headers.authorization ?? '')?.[1],
    from: raw.socket.remoteAddress,
    agent: raw.headers['user-agent']?.slice(0, 200),
    path: (url.split('?', 1)[0] ?? '').slice(0, 2048),
  };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new AdminError(400, 'InvalidRequest', 'the body is not JSON');
  }
}
