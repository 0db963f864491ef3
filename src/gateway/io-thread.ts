import { Worker } from 'node:worker_threads';
import type { MetricValues } from '../common/merged-metrics.ts';
import type { MirrorFeed } from '../coord/mirror-feed.ts';
import type { FromIoThread, IoThreadStart, ToIoThread } from './io-thread-messages.ts';

export interface IoThreadSettings {
  /** The module that the thread runs; `workerData` is an `IoThreadStart` with `job`. */
  readonly entry: URL;
  /** Plain data. */
  readonly job: Readonly<Record<string, unknown>>;
  /** The heap of one thread, MiB. */
  readonly maxHeapMiB: number;
}

export interface IoThreadEvents {
  lines(thread: number, text: string, count: number): void;
  /** The thread is no more; `cause` tells why, if it was not asked to end. */
  gone(io: IoThread, cause: unknown): void;
}

/** How long a thread may take to count. */
const countWithinMs = 1000;

/** One I/O thread as the store thread sees it, from its start to its end. */
export class IoThread {
  readonly thread: number;
  /** What it had counted when it was last asked. */
  counted: MetricValues = [];
  isListening = false;
  /** How often in a row `checkAlive` found no answer. */
  missed = 0;
  private readonly worker: Worker;
  private readonly post: (message: ToIoThread) => void;
  private readonly listening = Promise.withResolvers<number>();
  private readonly exited = Promise.withResolvers<void>();
  private readonly questions = new Map<number, () => void>();
  private asked = 0;
  private cause: unknown;

  /** The thread runs, and listens soon (`port`). */
  static async start(
    thread: number,
    s3Port: number,
    feed: MirrorFeed,
    settings: IoThreadSettings,
    events: IoThreadEvents,
  ): Promise<IoThread> {
    const { port1, port2 } = new MessageChannel();
    const post = (message: ToIoThread) => port1.postMessage(message);
    const { snapshot, leave } = await feed.join((update) => post({ kind: 'update', update }));
    const start = { thread, port: port2, snapshot, s3Port } as unknown as IoThreadStart;
    const worker = new Worker(settings.entry, {
      workerData: { ...start, job: settings.job },
      transferList: [port2 as unknown as import('node:worker_threads').MessagePort],
      name: `io-${thread}`,
      resourceLimits: { maxOldGenerationSizeMb: settings.maxHeapMiB },
    });
    const io = new IoThread(thread, worker, post);
    port1.onmessage = ({ data }) => io.hear(data as FromIoThread, events);
    worker.on('error', (error) => {
      io.cause = error;
    });
    worker.once('exit', (code) => {
      leave();
      port1.close();
      io.ended(code);
      events.gone(io, io.cause ?? `exit code ${code}`);
    });
    return io;
  }

  private constructor(thread: number, worker: Worker, post: (message: ToIoThread) => void) {
    this.thread = thread;
    this.worker = worker;
    this.post = post;
    // Whoever started it may not ask.
    this.listening.promise.catch(() => undefined);
  }

  /** The port it listens on; rejects if it ends before, with Node's error where the port cannot be had. */
  get port(): Promise<number> {
    return this.listening.promise;
  }

  /** Has `counted` brought up to date; false if the thread is too busy to do so in time. */
  async count(): Promise<boolean> {
    const question = ++this.asked;
    const answered = new Promise<boolean>((resolve) => {
      this.questions.set(question, () => resolve(true));
      setTimeout(resolve, countWithinMs, false).unref();
    });
    this.post({ kind: 'count', question });
    const isInTime = await answered;
    this.questions.delete(question);
    return isInTime;
  }

  /** Counts, and keeps account of a thread that does not answer. */
  async checkAlive(): Promise<void> {
    if (!(await this.count()) && this.isListening) this.missed++;
  }

  /** Lets its requests end for `graceMs`, then ends it in any case. */
  async close(graceMs: number): Promise<void> {
    this.post({ kind: 'close', graceMs });
    const late = setTimeout(() => void this.worker.terminate(), graceMs + 400);
    await this.exited.promise;
    clearTimeout(late);
  }

  /** Ends it at once, also in the middle of what it does; `cause` tells why. */
  async terminate(cause?: Error): Promise<void> {
    this.cause = cause;
    await this.worker.terminate();
  }

  private hear(message: FromIoThread, events: IoThreadEvents): void {
    if (message.kind === 'listening') {
      this.isListening = true;
      this.listening.resolve(message.port);
    } else if (message.kind === 'lines') events.lines(this.thread, message.text, message.count);
    else {
      this.counted = message.values;
      this.missed = 0;
      this.questions.get(message.question)?.();
    }
  }

  private ended(code: number): void {
    const cause = this.cause ?? new Error(`the I/O thread ended with ${code} before it listened`);
    this.listening.reject(cause);
    for (const answered of this.questions.values()) answered();
    this.exited.resolve();
  }
}
