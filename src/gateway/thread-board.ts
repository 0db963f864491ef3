/** What the threads of a node tell each other without messages: numbers in shared memory. */
const changesAt = 0;
const intsPerRow = 16;
const connectionsAt = 0;
const requestsAt = 1;
const logBytesAt = 2;

/**
 * A row of numbers for each thread, on cache lines of its own, and the number of changes of the coordination store. Row 0 is the store
 * thread's. A row is written by its thread alone, apart from what the store thread takes off again.
 */
export class ThreadBoard {
  readonly memory: SharedArrayBuffer;
  private readonly ints: Int32Array;
  private readonly rows: number;
  private readonly row: number;

  /** `thread`: whose board this is. */
  constructor(memory: SharedArrayBuffer, thread: number) {
    this.memory = memory;
    this.ints = new Int32Array(memory);
    this.rows = this.ints.length / intsPerRow - 1;
    this.row = (thread + 1) * intsPerRow;
  }

  /** For so many threads, the store thread among them. */
  static create(threadCount: number): ThreadBoard {
    return new ThreadBoard(new SharedArrayBuffer((threadCount + 1) * intsPerRow * 4), 0);
  }

  /** Changes of the coordination store so far. */
  readonly changes = {
    read: () => Atomics.load(this.ints, changesAt),
    add: () => Atomics.add(this.ints, changesAt, 1) + 1,
  };

  /** Connections of all threads, this one counted in. */
  addConnection(): number {
    Atomics.add(this.ints, this.row + connectionsAt, 1);
    return this.sum(connectionsAt);
  }

  removeConnection(): void {
    Atomics.sub(this.ints, this.row + connectionsAt, 1);
  }

  /** Requests that all threads are working on, this one counted in. A request that is handed over counts where it is answered. */
  enterRequest(): number {
    Atomics.add(this.ints, this.row + requestsAt, 1);
    return this.sum(requestsAt);
  }

  leaveRequest(): void {
    Atomics.sub(this.ints, this.row + requestsAt, 1);
  }

  /** Bytes of log lines that are on their way from this thread to the one that writes them. */
  get logBytes(): number {
    return Atomics.load(this.ints, this.row + logBytesAt);
  }

  addLogBytes(bytes: number): void {
    Atomics.add(this.ints, this.row + logBytesAt, bytes);
  }

  /** The store thread has taken bytes of a thread's lines. */
  takeLogBytes(thread: number, bytes: number): void {
    Atomics.sub(this.ints, (thread + 1) * intsPerRow + logBytesAt, bytes);
  }

  /** Nothing of a thread that is no more counts any longer. */
  forgetThread(thread: number): void {
    for (let i = 0; i < intsPerRow; i++) Atomics.store(this.ints, (thread + 1) * intsPerRow + i, 0);
  }

  private sum(at: number): number {
    let sum = 0;
    for (let row = 1; row <= this.rows; row++) sum += Atomics.load(this.ints, row * intsPerRow + at);
    return sum;
  }
}
