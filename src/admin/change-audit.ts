import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Random } from '../common/random.ts';
import { FileSystemError } from '../ufs/file-system.ts';
import { AdminError, type AdminFailure, toAdminFailure } from './admin-error.ts';
import { type AuditEntry, lineOf, secretsIn, shownBody, shownState } from './audit-entry.ts';
import type { AuditLog } from './audit-log.ts';
import { type AuditQuestion, readAudit } from './audit-reading.ts';
import type { AdminRequest, AdminResponse, AdminRoute, AdminServices, Look } from './route.ts';

/** Who asks, from where, for what. */
export interface ChangeFacts {
  readonly user?: string;
  readonly accessKeyId?: string;
  readonly from?: string;
  readonly agent?: string;
  readonly path: string;
}

/** Of refusals to callers who prove nothing: else anybody could fill the log, until what it is kept for is gone. */
const refusalsAMinute = 30;
const minuteMs = 60_000;

/** Sees to it that every change, and every refused one, is in the audit log: what cannot be written there is not done. */
export class ChangeAudit {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #file: AuditLog;
  readonly #workerId: string;
  #minute = 0;
  #refusals = 0;
  #unrecorded = 0;

  constructor(clock: Clock, random: Random, log: Log, file: AuditLog, workerId: string) {
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#file = file;
    this.#workerId = workerId;
  }

  /** Runs a change and gives its answer. Rejects as its handler does, or with AuditUnavailable: then nothing was done. */
  async run(
    route: AdminRoute,
    services: AdminServices,
    facts: ChangeFacts,
    request: AdminRequest,
  ): Promise<AdminResponse> {
    const begunMs = this.#clock.monotonicMs();
    const secrets = secretsIn(request.body, route.body);
    const look = async () => this.#stateOf(route.changes, services, request);
    const before = await look();
    const begun = { ...this.#entryOf(route, facts, request), before };
    await this.#begin({ ...begun, stage: 'begun' }, secrets);
    const end = async (failure: AdminFailure | undefined) => {
      const ms = Math.round(this.#clock.monotonicMs() - begunMs);
      const outcome = { outcome: failure?.code ?? 'OK', message: failure?.message, ms };
      await this.#write({ ...begun, stage: 'ended', after: await look(), ...outcome }, secrets);
    };
    try {
      const answer = await route.handler(services, request);
      await end(undefined);
      return answer;
    } catch (error) {
      await end(toAdminFailure(error) ?? unforeseen);
      throw error;
    }
  }

  /** What is written down, the newest first. */
  read(question: AuditQuestion): Promise<readonly AuditEntry[]> {
    return readAudit(this.#file, question);
  }

  /** Why the last line could not be written; undefined where it could. */
  get fault(): string | undefined {
    return this.#file.fault;
  }

  /** A change that was refused before it was begun. */
  async refused(
    route: AdminRoute,
    facts: ChangeFacts,
    request: AdminRequest,
    failure: AdminFailure,
  ): Promise<void> {
    if (facts.user === undefined && !this.#mayRecord()) {
      this.#unrecorded++;
      return;
    }
    const unrecorded = this.#unrecorded || undefined;
    this.#unrecorded = 0;
    const { code: outcome, message } = failure;
    const entry = { ...this.#entryOf(route, facts, request), stage: 'refused' as const, outcome, message };
    await this.#write({ ...entry, unrecorded }, secretsIn(request.body, route.body));
  }

  async #stateOf(look: Look | 'nothing', services: AdminServices, request: AdminRequest): Promise<unknown> {
    if (look === 'nothing') return undefined;
    try {
      return shownState(await look(services, request));
    } catch (error) {
      // There is nothing of that name, or the request makes no sense, as the handler itself says.
      if (!toAdminFailure(error)) this.#log.error({ err: error }, 'what a change is about cannot be told');
      return undefined;
    }
  }

  #mayRecord(): boolean {
    const minute = Math.floor(this.#clock.monotonicMs() / minuteMs);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#refusals = 0;
    }
    this.#refusals++;
    return this.#refusals <= refusalsAMinute;
  }

  #entryOf(route: AdminRoute, facts: ChangeFacts, { query, body }: AdminRequest): Omit<AuditEntry, 'stage'> {
    return {
      time: new Date(this.#clock.nowMs()).toISOString(),
      id: this.#random.bytes(8).toString('hex'),
      node: this.#workerId,
      ...facts,
      change: route.name,
      method: route.method,
      query: Object.keys(query).length === 0 ? undefined : query,
      body: shownBody(body, route.body),
    };
  }

  async #begin(entry: AuditEntry, secrets: readonly string[]): Promise<void> {
    try {
      await this.#file.append(lineOf(entry, secrets));
    } catch (cause) {
      if (!(cause instanceof FileSystemError)) throw cause;
      const message = `nothing was changed, for the audit log cannot be written: ${cause.message}`;
      throw new AdminError(503, 'AuditUnavailable', message, { cause });
    }
  }

  /** What happened has happened: that its line is missing is for the log of the node, and its status. */
  async #write(entry: AuditEntry, secrets: readonly string[]): Promise<void> {
    try {
      await this.#file.append(lineOf(entry, secrets));
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
      const { id, change, outcome } = entry;
      this.#log.error({ err: error, id, change, outcome }, 'a line of the audit log could not be written');
    }
  }
}

const unforeseen: AdminFailure = { status: 500, code: 'InternalError', message: 'a fault of the node' };
