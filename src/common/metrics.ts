import { Counter, Gauge, Registry } from 'prom-client';
import { type MetricValues, mergedText } from './merged-metrics.ts';
import { PlainCounter, PlainHistogram } from './plain-metrics.ts';

/** Every metric of a node, each with a line of meaning. */
export class Metrics {
  readonly registry = new Registry();
  private threads: (() => Promise<readonly MetricValues[]>) | undefined;

  readonly requests = this.plainCounter(
    'forebay_requests_total',
    'S3 requests answered, each once, by operation and S3 code (OK where there is none)',
    ['operation', 'code'],
  );
  readonly requestSeconds = new PlainHistogram(
    this.registry,
    'forebay_request_seconds',
    'Time from the first byte of a request to the last of its answer, by operation',
    'operation',
    [0.0005, 0.002, 0.01, 0.05, 0.25, 1, 5, 30],
  );
  readonly bytesServed = this.plainCounter(
    'forebay_bytes_served_total',
    'Object bytes handed to clients, by where they came from',
    ['source'],
  );
  readonly peerBytes = this.plainCounter(
    'forebay_peer_bytes_total',
    'Object bytes handed to other nodes, by where they came from; the node whose client gets them counts them as served',
    ['source'],
  );
  readonly passedBy = this.plainCounter(
    'forebay_reads_passed_by_total',
    'Reads that went to the storage because the node that owns the object could not be reached',
    [],
  );
  readonly handOffs = this.plainCounter(
    'forebay_hand_offs_total',
    'What was asked of nodes that kept pages before the ring changed: given (a page), lacking (a page or an object), failed',
    ['result'],
  );
  readonly bytesReceived = this.plainCounter(
    'forebay_bytes_received_total',
    'Object bytes taken from clients',
    [],
  );
  readonly failedLater = this.counter(
    'forebay_failed_later_total',
    'Answers cut off after their first byte because the rest could not be had',
    ['operation'],
  );
  readonly backendRequests = this.counter(
    'forebay_backend_requests_total',
    'Calls made to a backend, by mount and operation',
    ['mount', 'operation'],
  );
  readonly backendBytes = this.counter(
    'forebay_backend_bytes_total',
    'Object bytes read from (direction read) and written to (direction write) a backend',
    ['mount', 'direction'],
  );
  readonly pageStoreErrors = this.counter(
    'forebay_page_store_errors_total',
    'Pages that could not be read or kept, by reason (checksum, io, missing, no-space, short; index: of a region)',
    ['reason'],
  );
  readonly pageStoreUp = this.gauge(
    'forebay_page_store_up',
    '1 while pages are kept in this folder, 0 while its disk is full or failing and is passed by',
    ['path'],
  );
  readonly pageStoreCarriedBytes = this.counter(
    'forebay_page_store_carried_bytes_total',
    'Bytes of pages in use that were written forward when their region was given up to make room',
    [],
  );
  readonly pageStoreScrubbedBytes = this.counter(
    'forebay_page_store_scrubbed_bytes_total',
    'Bytes of pages that were read in the background to find damage',
    [],
  );
  readonly pageEvictions = this.counter(
    'forebay_page_evictions_total',
    'Pages dropped to make room, by tier',
    ['tier'],
  );
  readonly coalescedFills = this.counter(
    'forebay_coalesced_fills_total',
    'Page reads that joined a fill which was already under way',
    [],
  );
  readonly readAheadPages = this.counter(
    'forebay_read_ahead_pages_total',
    'Pages filled ahead of sequential readers: asked of the backend; then used, unused (the reader went away), or lost (not there any more)',
    ['result'],
  );
  readonly metadataLookups = this.plainCounter(
    'forebay_metadata_lookups_total',
    'Questions for metadata: answered from what is known (hit), asked of the backend (miss), joined to one under way (coalesced)',
    ['result'],
  );
  readonly pendingAttempts = this.counter(
    'forebay_pending_attempts_total',
    'Attempts to bring a pending write to its storage: persisted, overtaken or superseded by a later one, again (others were faster), conflict (others changed the object), failed',
    ['result'],
  );
  readonly cacheBytes = this.gauge('forebay_cache_bytes', 'Bytes of pages held, by tier', ['tier']);
  readonly adminRequests = this.counter('forebay_admin_requests_total', 'Requests to the admin port', [
    'route',
    'code',
  ]);

  /** The counts of other threads, which `text` adds to the own ones. */
  addThreads(read: () => Promise<readonly MetricValues[]>): void {
    this.threads = read;
  }

  /** In Prometheus' text format. */
  async text(): Promise<string> {
    return this.threads ? mergedText(this.registry, await this.threads()) : this.registry.metrics();
  }

  /** What every thread has counted and measured, this one first. */
  async all(): Promise<readonly MetricValues[]> {
    return [await this.values(), ...((await this.threads?.()) ?? [])];
  }

  /** The own counts, as another thread adds them to its own. */
  values(): Promise<MetricValues> {
    return this.registry.getMetricsAsJSON() as Promise<MetricValues>;
  }

  /** Takes the number of S3 requests being worked on from where it is kept. */
  showInFlight(read: () => number): void {
    this.measured('forebay_requests_in_flight', 'S3 requests being worked on', read);
  }

  /** Takes what fills hold from where it is kept. */
  showFills(read: () => { readonly flights: number; readonly bytes: number }): void {
    this.measured('forebay_page_flights', 'Pages on their way from a backend', () => read().flights);
    this.measured('forebay_fill_bytes', 'Memory that pages being filled hold', () => read().bytes);
  }

  /** Takes what readers keep of the memory for pages from where it is kept. */
  showHolds(read: () => { readonly pins: number; readonly lentSegments: number }): void {
    this.measured(
      'forebay_memory_pins',
      'Answers that hold a page in memory in its place',
      () => read().pins,
    );
    this.measured(
      'forebay_memory_lent_segments',
      'Segments of the memory for pages that answers are sent from; several threads count several times',
      () => read().lentSegments,
    );
  }

  /** Takes what is pending of writes from where it is kept. */
  showPending(
    read: () => {
      readonly entries: number;
      readonly bytes: number;
      readonly oldestSeconds: number;
      readonly failing: number;
    },
  ): void {
    this.measured(
      'forebay_pending_entries',
      'Writes that their storage does not have yet',
      () => read().entries,
    );
    this.measured('forebay_pending_bytes', 'Object bytes of such writes', () => read().bytes);
    this.measured(
      'forebay_pending_oldest_age_seconds',
      'Age of the oldest of them (0: there is none)',
      () => read().oldestSeconds,
    );
    this.measured(
      'forebay_pending_failing',
      'Objects whose pending write was refused, or failed, at its last attempt; it is tried again',
      () => read().failing,
    );
  }

  /** Takes from where it is kept how much is held for other nodes. */
  showPendingCopies(read: () => number): void {
    this.measured(
      'forebay_pending_copies',
      'Writes of which the node holds copies for other nodes, until their storage has them',
      read,
    );
  }

  /** Takes the number of log lines lost so far from where it is kept. */
  showDroppedLines(read: () => number): void {
    new Counter({
      name: 'forebay_log_dropped_total',
      help: 'Lines of the log that were lost, because nobody read them or they could not be written',
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  /** For what each request counts. */
  private plainCounter<T extends string>(
    name: string,
    help: string,
    labelNames: readonly T[],
  ): PlainCounter<T> {
    return new PlainCounter(this.registry, name, help, labelNames);
  }

  private counter<T extends string>(name: string, help: string, labelNames: readonly T[]): Counter<T> {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.registry] });
  }

  /** A number that is looked up when it is asked for. */
  private measured(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }

  private gauge<T extends string>(name: string, help: string, labelNames: readonly T[]): Gauge<T> {
    return new Gauge({ name, help, labelNames: [...labelNames], registers: [this.registry] });
  }
}
