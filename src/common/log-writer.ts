/** What of Node's writable streams is needed. `process.stderr` never blocks where it is a pipe. */
export interface LogStream {
  readonly writableLength: number;
  write(text: string, done: (error?: Error | null) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

const batchCharacters = 64 * 1024;
const batchMs = 250;
/** What waits for a slow reader; beyond it lines are dropped. */
const maxWaitingBytes = 1024 * 1024;

/**
 * Gathers lines (64 KiB or a quarter of a second), so that a request costs no system call of its own. A reader that is slow,
 * stuck or gone, or a full disk, costs lines and nothing else: they are dropped and counted.
 */
export class LogWriter {
  private readonly stream: LogStream;
  private readonly timer: NodeJS.Timeout;
  private batch = '';
  private batchLines = 0;
  private dropped = 0;

  constructor(stream: LogStream) {
    this.stream = stream;
    // Each write's own callback counts what is lost; without a listener the process would end.
    stream.on('error', () => {});
    this.timer = setInterval(() => this.send(), batchMs);
    this.timer.unref();
  }

  get droppedLines(): number {
    return this.dropped;
  }

  /** One line, its line feed with it, or `count` of them. */
  write(line: string, count = 1): void {
    this.batch += line;
    this.batchLines += count;
    if (this.batch.length >= batchCharacters) this.send();
  }

  /** Hands on what is gathered; resolves when it is written, or `withinMs` are over. */
  flush(withinMs: number): Promise<void> {
    this.send();
    return new Promise((resolve) => {
      const late = setTimeout(resolve, withinMs);
      this.stream.write('', () => {
        clearTimeout(late);
        resolve();
      });
    });
  }

  /** Hands on what is gathered without waiting for it. */
  send(): void {
    const { batch, batchLines } = this;
    if (batchLines === 0) return;
    this.batch = '';
    this.batchLines = 0;
    if (this.stream.writableLength > maxWaitingBytes) {
      this.dropped += batchLines;
      return;
    }
    this.stream.write(batch, (error) => {
      if (error) this.dropped += batchLines;
    });
  }
}
