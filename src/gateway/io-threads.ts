import { createServer } from 'node:net';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import { type MetricValues, mergeCounters } from '../common/merged-metrics.ts';
import type { MirrorFeed } from '../coord/mirror-feed.ts';
import { IoThread, type IoThreadSettings } from './io-thread.ts';
import type { ThreadBoard } from './thread-board.ts';

export interface IoThreadsSettings extends IoThreadSettings {
  readonly count: number;
  readonly host: string;
  /** 0: any. */
  readonly port: number;
  /** How often each thread is asked what it has counted, and so whether it still runs. */
  readonly countEveryMs?: number;
}

export interface IoThreadsParts {
  readonly board: ThreadBoard;
  readonly feed: MirrorFeed;
  /** Takes whole lines of the log. */
  readonly lines: (text: string, count: number) => void;
  /** Gives up what a thread that is no more had held of shared memory. */
  readonly forget: (thread: number) => void;
}

const firstDelayMs = 100;
const maxDelayMs = 10_000;
/** A thread that served for so long was sound: its next start waits no longer than the first. */
const soundAfterMs = 60_000;
const defaultCountEveryMs = 1000;
/** A thread that did not answer so often in a row does not serve. */
const missedUntilSilent = 3;
/**
 * A thread that did not answer so often in a row is ended: connections go to it as long as it listens. Counted, not timed, so that a
 * pause of the whole process is not taken for one of the thread.
 */
const missedUntilEnded = 30;

/**
 * The threads that listen on the S3 port. One that dies, or hangs for half a minute, is started again, at growing intervals, while the
 * others serve on.
 */
export class IoThreads {
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly parts: IoThreadsParts;
  private readonly settings: IoThreadsSettings;
  private readonly threads = new Map<number, IoThread>();
  private readonly closing = new AbortController();
  private readonly restarts = new Set<Promise<void>>();
  private readonly delays = new Map<number, { readonly ms: number; readonly startedMs: number }>();
  /** What threads that are no more had counted. */
  private retired: MetricValues = [];
  private timer: NodeJS.Timeout | undefined;
  private listeningPort = 0;

  private constructor(clock: Clock, log: Log, parts: IoThreadsParts, settings: IoThreadsSettings) {
    this.clock = clock;
    this.log = log;
    this.parts = parts;
    this.settings = settings;
  }

  /** All of them listen. Rejects with Node's error (`code` EADDRINUSE …) if the port cannot be had. */
  static async start(
    clock: Clock,
    log: Log,
    parts: IoThreadsParts,
    settings: IoThreadsSettings,
  ): Promise<IoThreads> {
    // Another program that shares its ports, such as another node, would not be noticed otherwise: it would take half of the connections.
    if (settings.port !== 0) await checkFree(settings.host, settings.port);
    const io = new IoThreads(clock, log, parts, settings);
    try {
      await io.startAll();
    } catch (error) {
      await io.close(0);
      throw error;
    }
    return io;
  }

  get port(): number {
    return this.listeningPort;
  }

  /** How many listen and have answered within the last seconds. */
  get running(): number {
    const serves = ({ isListening, missed }: IoThread) => isListening && missed < missedUntilSilent;
    return [...this.threads.values()].filter(serves).length;
  }

  get count(): number {
    return this.settings.count;
  }

  /** What all threads have counted since the beginning, those that are no more among them (but for their last second). */
  async counted(): Promise<readonly MetricValues[]> {
    const threads = [...this.threads.values()];
    await Promise.all(threads.map((thread) => thread.count()));
    return [this.retired, ...threads.map((thread) => thread.counted)];
  }

  /** Ends one at once, as a fault would. */
  async terminate(thread: number): Promise<void> {
    await this.threads.get(thread)?.terminate();
  }

  async close(graceMs: number): Promise<void> {
    this.closing.abort();
    clearInterval(this.timer);
    await Promise.all(this.restarts);
    await Promise.all([...this.threads.values()].map((thread) => thread.close(graceMs)));
  }

  private async startAll(): Promise<void> {
    this.listeningPort = this.settings.port;
    for (let thread = 1; thread <= this.settings.count; thread++) {
      const io = await this.startOne(thread);
      // The first one chooses where any port will do.
      if (this.listeningPort === 0) this.listeningPort = await io.port;
    }
    await Promise.all([...this.threads.values()].map((io) => io.port));
    this.timer = setInterval(() => {
      for (const io of this.threads.values()) void this.check(io);
    }, this.settings.countEveryMs ?? defaultCountEveryMs);
    this.timer.unref();
  }

  private async check(io: IoThread): Promise<void> {
    await io.checkAlive();
    if (io.missed === missedUntilEnded) await io.terminate(new Error('it did not answer any more'));
  }

  private async startOne(thread: number): Promise<IoThread> {
    const io = await IoThread.start(thread, this.listeningPort, this.parts.feed, this.settings, {
      lines: (from, text, count) => {
        this.parts.board.takeLogBytes(from, text.length);
        this.parts.lines(text, count);
      },
      gone: (gone, cause) => this.gone(gone, cause),
    });
    this.threads.set(thread, io);
    const { ms = firstDelayMs } = this.delays.get(thread) ?? {};
    this.delays.set(thread, { ms, startedMs: this.clock.monotonicMs() });
    return io;
  }

  private gone(io: IoThread, cause: unknown): void {
    const { thread } = io;
    this.threads.delete(thread);
    this.retired = mergeCounters([this.retired, io.counted]);
    this.parts.forget(thread);
    this.parts.board.forgetThread(thread);
    if (this.closing.signal.aborted) return;
    this.log.error(
      { err: cause, thread },
      'an I/O thread died; its connections are lost, it is started again',
    );
    const restart = this.startAgain(thread).finally(() => this.restarts.delete(restart));
    this.restarts.add(restart);
  }

  private async startAgain(thread: number): Promise<void> {
    const last = this.delays.get(thread) ?? { ms: firstDelayMs, startedMs: 0 };
    const wasSound = this.clock.monotonicMs() - last.startedMs > soundAfterMs;
    const waitMs = wasSound ? firstDelayMs : last.ms;
    this.delays.set(thread, { ms: Math.min(waitMs * 2, maxDelayMs), startedMs: last.startedMs });
    try {
      await this.clock.sleep(waitMs, this.closing.signal);
      await this.startOne(thread);
    } catch (error) {
      if (this.closing.signal.aborted) return;
      this.log.error({ err: error, thread }, 'an I/O thread cannot be started');
      return this.startAgain(thread);
    }
  }
}

/** Rejects with Node's error unless nobody at all listens there. */
async function checkFree(host: string, port: number): Promise<void> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen({ host, port, exclusive: true }, resolve);
  });
  await new Promise((resolve) => probe.close(resolve));
}
