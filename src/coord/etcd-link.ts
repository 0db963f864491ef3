import type { Etcd3, IDuplexStream, IOptions, IWatchRequest, IWatchResponse } from 'etcd3';
import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import { EtcdClient } from './etcd-client.ts';
import { faultOf, isOutOfTime, unavailable, wasNeverSent } from './etcd-errors.ts';
import { CoordError } from './store.ts';

export interface EtcdLinkSettings {
  /** Members of the etcd cluster, such as `http://10.0.0.1:2379`; with `https:` all of them. */
  readonly endpoints: readonly string[];
  /** PEM. The usual authorities where no CA is given; key and certificate are this client's own. */
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  readonly user?: { readonly name: string; readonly password: string };
  /** For a call and all its tries together. */
  readonly timeoutMs: number;
}

/** What each call is made with. */
export interface EtcdCall {
  readonly deadline: Date;
}

export type EtcdWatchStream = IDuplexStream<IWatchRequest, IWatchResponse>;

/** Answers above this are not taken: a list asks for less then, a watch begins anew. Values are 1 MiB at most. */
const maxAnswerBytes = 8 * 1024 * 1024;
const firstPauseMs = 20;
const longestPauseMs = 500;

/**
 * The way to one member of etcd at a time. A call that fails at the connection makes the next one go to the next member, over a
 * connection of its own: what hangs on a half-open one is not waited for twice.
 */
export class EtcdLink {
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly settings: EtcdLinkSettings;
  private next: number;
  private current: Etcd3 | undefined;
  private readonly ended = new AbortController();

  constructor(clock: Clock, random: Random, settings: EtcdLinkSettings) {
    this.clock = clock;
    this.random = random;
    this.settings = settings;
    // Nodes that start together do not all go to the first member.
    this.next = Math.floor(random.next() * settings.endpoints.length);
  }

  get timeoutMs(): number {
    return this.settings.timeoutMs;
  }

  get isClosed(): boolean {
    return this.ended.signal.aborted;
  }

  /** Tries at other members, until the time is over. `doing` completes "cannot … etcd". Rejects with etcd's own error where it decided. */
  async read<T>(doing: string, work: (etcd: Etcd3, call: EtcdCall) => Promise<T>): Promise<T> {
    return this.run(doing, work, this.settings.timeoutMs, () => true);
  }

  /** As `read`, but what may have reached etcd is not sent a second time: its outcome is unknown then. */
  async write<T>(doing: string, work: (etcd: Etcd3, call: EtcdCall) => Promise<T>): Promise<T> {
    return this.run(doing, work, this.settings.timeoutMs, wasNeverSent);
  }

  /** One try within `timeoutMs`. */
  async once<T>(
    doing: string,
    timeoutMs: number,
    work: (etcd: Etcd3, call: EtcdCall) => Promise<T>,
  ): Promise<T> {
    return this.run(doing, work, timeoutMs, () => false);
  }

  /** A stream on the present connection, and what gives that connection up. */
  async openWatch(): Promise<{ readonly stream: EtcdWatchStream; readonly drop: () => void }> {
    const etcd = this.connected();
    try {
      const stream = await this.within(this.settings.timeoutMs, etcd.watchClient.watch({}));
      return { stream, drop: () => this.drop(etcd) };
    } catch (error) {
      this.drop(etcd);
      throw unavailable('watch', error);
    }
  }

  close(): void {
    if (this.isClosed) return;
    this.ended.abort(new CoordError('unavailable', 'the coordination store is closed'));
    if (this.current) this.drop(this.current);
  }

  private async run<T>(
    doing: string,
    work: (etcd: Etcd3, call: EtcdCall) => Promise<T>,
    timeoutMs: number,
    mayRepeat: (error: unknown) => boolean,
  ): Promise<T> {
    const untilMs = this.clock.monotonicMs() + timeoutMs;
    let telling: unknown;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      const etcd = this.connected();
      const remainingMs = Math.max(1, untilMs - this.clock.monotonicMs());
      try {
        const call = { deadline: new Date(this.clock.nowMs() + remainingMs) };
        return await this.within(remainingMs, work(etcd, call));
      } catch (error) {
        if (this.isClosed) throw this.ended.signal.reason;
        if (faultOf(error) !== 'connection') throw error;
        this.drop(etcd);
        // That the last try had too little time says less than what came of the one before.
        if (telling === undefined || !isOutOfTime(error)) telling = error;
        const isLast = this.clock.monotonicMs() + pauseMs >= untilMs;
        if (isLast || !mayRepeat(error)) throw unavailable(doing, telling);
      }
      await this.within(timeoutMs, this.clock.sleep(pauseMs * (0.5 + this.random.next())));
    }
  }

  /** The library waits without a limit for a token, for example. */
  private async within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
    const done = new AbortController();
    const signal = AbortSignal.any([done.signal, this.ended.signal]);
    const late = this.clock.sleep(timeoutMs, signal).then(
      () => Promise.reject(new Error(`no answer within ${Math.round(timeoutMs)} ms`)),
      (reason: unknown) => Promise.reject(reason),
    );
    try {
      return await Promise.race([work, late]);
    } finally {
      late.catch(() => {});
      work.catch(() => {});
      done.abort();
    }
  }

  private connected(): Etcd3 {
    if (this.isClosed) throw this.ended.signal.reason;
    this.current ??= this.connect();
    return this.current;
  }

  private connect(): Etcd3 {
    const { endpoints, tls, user, timeoutMs } = this.settings;
    const endpoint = endpoints[this.next % endpoints.length] ?? '';
    return new EtcdClient({
      hosts: endpoint,
      credentials: endpoint.startsWith('https:') ? credentialsOf(tls) : undefined,
      auth: user && {
        username: user.name,
        password: user.password,
        callOptions: () => ({ deadline: new Date(this.clock.nowMs() + timeoutMs) }),
      },
      faultHandling: { host: () => asItComes, global: asItComes },
      grpcOptions: {
        'grpc.max_receive_message_length': maxAnswerBytes,
        // Otherwise a new client would go on over the connection that was just given up.
        'grpc.use_local_subchannel_pool': 1,
        // Not below 5 s, which etcd takes for an attack.
        'grpc.keepalive_time_ms': 10_000,
        'grpc.keepalive_timeout_ms': 5_000,
      },
    });
  }

  private drop(etcd: Etcd3): void {
    if (this.current === etcd) {
      this.current = undefined;
      this.next += 1;
    }
    etcd.close();
  }
}

function credentialsOf(tls: EtcdLinkSettings['tls']): IOptions['credentials'] {
  if (!tls?.ca && !tls?.cert) return undefined;
  // The library hands an absent CA on as "the usual ones", though its type does not say so.
  return { rootCertificate: tls.ca as Buffer, certChain: tls.cert, privateKey: tls.key };
}

type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

/** The library's own retries are off: they would send a write a second time that may have been done. */
const asItComes = {
  execute: async (work: Parameters<Policy['execute']>[0]) => work({ signal: new AbortController().signal }),
} as unknown as Policy;
