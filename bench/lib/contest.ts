import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Case, onceOnly } from './cases.ts';
import type { LoadJob, LoadResult } from './load-client.ts';
import { treeCpuSeconds } from './process-cpu.ts';

/** A server that takes part in a case, and how it is asked. */
export interface Contestant
  extends Pick<LoadJob, 'host' | 'port' | 'hostHeader' | 'signing' | 'credentials'> {
  readonly name: string;
  /** The root of its processes; absent where its CPU cannot be counted. */
  readonly pid?: number;
}

/** From one moment to another, in microseconds of the monotonic clock. */
export interface Span {
  readonly startMicros: number;
  readonly endMicros: number;
}

/** The medians of the rounds. */
export interface Row extends Omit<LoadResult, 'requests' | 'seconds' | 'bytes' | 'hits'> {
  readonly case: string;
  readonly server: string;
  /** Of the server and all its children; null where it cannot be counted. */
  readonly cpuMicrosPerRequest: number | null;
  /** Of the round with the least: it has the least of what else the machine did. */
  readonly leastCpuMicrosPerRequest: number | null;
  /** To `nginx static` in the same case; null where that took no part. */
  readonly ratioToNginxStatic: number | null;
  readonly requestsPerSecond: number;
  readonly mebibytesPerSecond: number;
  /** Of the answers; null of a server that does not say. */
  readonly hitShare: number | null;
}

export interface Length {
  readonly seconds: number;
  readonly rounds: number;
}

interface Measured extends LoadResult {
  readonly cpuSeconds: number | undefined;
}

const run = promisify(execFile);
const client = fileURLToPath(new URL('load-client.ts', import.meta.url));
/** For each thread: it compiles by itself, and has a part of the requests to learn from; two need five times as long as one. */
const warmUpSeconds = { 1: 2, 2: 10 } as const;

/** Takes all servers through a case, in turns within each round, so that what else the machine does meets them alike. */
export async function hold(one: Case, servers: readonly Contestant[], length: Length): Promise<Row[]> {
  const isCold = one.state === 'cold';
  const rounds = isCold ? Math.min(length.rounds, onceOnly(one)) : length.rounds;
  if (!isCold) for (const server of servers) await warmUp(one, server);
  const results = new Map(servers.map((server): [Contestant, Measured[]] => [server, []]));
  for (let round = 0; round < rounds; round++) {
    for (const server of servers) {
      const job = isCold
        ? { ...partOf(onceOnly(one), round, rounds), once: true }
        : { ...allKeys(one), once: false };
      results.get(server)?.push(await load(one, server, { ...job, seconds: length.seconds }));
    }
  }
  const all = [...results];
  const nginx = all.find(([{ name }]) => name === 'nginx static');
  const base = nginx && cpuOf(nginx[1]).median;
  return all.map(([server, measured]) => rowOf(one, server, measured, base));
}

/**
 * Takes one server through a case, once. `span` is in microseconds of the monotonic clock, from the end of the warm-up on; `micros` is its
 * CPU a request, null where it answered none.
 */
export async function takeThrough(
  one: Case,
  server: Contestant,
  seconds: number,
): Promise<{ readonly span: Span; readonly micros: number | null }> {
  const isCold = one.state === 'cold';
  if (!isCold) await warmUp(one, server);
  const keys = isCold ? partOf(onceOnly(one), 0, 1) : allKeys(one);
  const startMicros = nowMicros();
  const measured = await load(one, server, { ...keys, once: isCold, seconds });
  return { span: { startMicros, endMicros: nowMicros() }, micros: cpuOf([measured]).median };
}

function nowMicros(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

function allKeys({ dataset }: Case) {
  return { firstKey: 0, lastKey: dataset.keys };
}

/** Each round has a part of the keys of its own. */
function partOf(count: number, round: number, rounds: number) {
  return {
    firstKey: Math.floor((round * count) / rounds),
    lastKey: Math.floor(((round + 1) * count) / rounds),
  };
}

/** Everything once, then some time for the code to become hot. */
async function warmUp(one: Case, server: Contestant): Promise<void> {
  if (one.operation === 'get') await load(one, server, { ...allKeys(one), once: true, seconds: 0 });
  if (one.operation === 'range') {
    // All of it, in order.
    const whole: Case = { ...one, operation: 'get', connections: 1 };
    await load(whole, server, { ...allKeys(one), once: true, seconds: 0 });
  }
  await load(one, server, { ...allKeys(one), once: false, seconds: warmUpSeconds[one.threads] });
}

type Turn = Pick<LoadJob, 'firstKey' | 'lastKey' | 'once' | 'seconds'>;

async function load(one: Case, server: Contestant, turn: Turn): Promise<Measured> {
  const { name: _, pid, ...how } = server;
  const job: LoadJob = { ...how, case: one, ...turn };
  const before = pid === undefined ? 0 : treeCpuSeconds(pid);
  const { stdout } = await run(process.execPath, [client, JSON.stringify(job)], { maxBuffer: 1 << 20 });
  const cpuSeconds = pid === undefined ? undefined : treeCpuSeconds(pid) - before;
  return { ...(JSON.parse(stdout) as LoadResult), cpuSeconds };
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

/** µs a request. A round in which nothing was answered tells nothing. */
function cpuOf(results: readonly Measured[]): {
  readonly median: number | null;
  readonly least: number | null;
} {
  const micros = results.flatMap(({ cpuSeconds, requests }) =>
    cpuSeconds === undefined || requests === 0 ? [] : [(cpuSeconds * 1e6) / requests],
  );
  return micros.length === 0
    ? { median: null, least: null }
    : { median: median(micros), least: Math.min(...micros) };
}

function rowOf(
  one: Case,
  { name }: Contestant,
  results: readonly Measured[],
  nginxMicros: number | null | undefined,
): Row {
  const cpu = cpuOf(results);
  const of = (pick: (result: Measured) => number) => median(results.map(pick));
  const sum = (pick: (result: Measured) => number) => results.reduce((all, one) => all + pick(one), 0);
  const requests = sum((result) => result.requests);
  const hits = sum((result) => result.hits);
  return {
    case: one.name,
    server: name,
    cpuMicrosPerRequest: cpu.median,
    leastCpuMicrosPerRequest: cpu.least,
    ratioToNginxStatic: cpu.median !== null && nginxMicros ? cpu.median / nginxMicros : null,
    requestsPerSecond: of((result) => result.requests / result.seconds),
    mebibytesPerSecond: of((result) => result.bytes / result.seconds / 2 ** 20),
    p50Ms: of((result) => result.p50Ms),
    p99Ms: of((result) => result.p99Ms),
    firstByteP50Ms: of((result) => result.firstByteP50Ms),
    hitShare: hits === 0 && !/^(forebay|nginx cache)$/.test(name) ? null : hits / Math.max(1, requests),
    failures: sum((result) => result.failures),
  };
}
