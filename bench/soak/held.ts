import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Node } from '../lib/servers.ts';

/** What a node holds at one moment. */
export interface Held {
  readonly rssBytes: number;
  readonly descriptors: number;
  /** Of these, how many of each kind: connections in the network, between threads, files of the page store, the rest. */
  readonly descriptorKinds: Readonly<Record<string, number>>;
  /** S3 requests being worked on. */
  readonly requests: number;
  /** Pages on their way from the storage. */
  readonly flights: number;
  /** Answers that hold a page in memory in its place. */
  readonly pins: number;
  /** Segments of memory that answers are sent from. */
  readonly loans: number;
}

/** Descriptors that open and close with the storage's kept-alive connections and, in each thread, with regions of the store. */
export const descriptorMargin = 48;
/** What the collector leaves uncollected at one moment and not at another. */
export const rssMarginShare = 0.15;
export const rssMarginBytes = 48 * 1024 * 1024;

/** Of a node's one process (Linux: `/proc`), and of what it says of itself. */
export async function heldBy(node: Node): Promise<Held> {
  const pid = node.process.pid ?? 0;
  const answer = await fetch(`http://127.0.0.1:${node.adminPort}/metrics`);
  const metrics = await answer.text();
  const rss = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return {
    rssBytes: Number(rss?.[1]) * 1024,
    ...descriptorsOf(pid),
    requests: valueIn(metrics, 'forebay_requests_in_flight'),
    flights: valueIn(metrics, 'forebay_page_flights'),
    pins: valueIn(metrics, 'forebay_memory_pins'),
    loans: valueIn(metrics, 'forebay_memory_lent_segments'),
  };
}

/** A descriptor that is closed meanwhile is passed over. */
function descriptorsOf(pid: number): Pick<Held, 'descriptors' | 'descriptorKinds'> {
  const between = inodesOf(`/proc/${pid}/net/unix`, 6);
  const network = new Set([...inodesOf(`/proc/${pid}/net/tcp`, 9), ...inodesOf(`/proc/${pid}/net/tcp6`, 9)]);
  const kinds: Record<string, number> = {};
  let descriptors = 0;
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    const kind = kindOf(`/proc/${pid}/fd/${name}`, between, network);
    if (kind === undefined) continue;
    kinds[kind] = (kinds[kind] ?? 0) + 1;
    descriptors++;
  }
  return { descriptors, descriptorKinds: kinds };
}

function kindOf(
  path: string,
  between: ReadonlySet<string>,
  network: ReadonlySet<string>,
): string | undefined {
  let target: string;
  try {
    target = readlinkSync(path);
  } catch {
    return undefined;
  }
  const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
  if (inode === undefined) return target.startsWith('/') ? 'file' : 'other';
  if (network.has(inode)) return 'network';
  return between.has(inode) ? 'thread' : 'other';
}

/** The inodes in a table of the kernel's, whose lines have them in this column, counted from 0. */
function inodesOf(path: string, column: number): ReadonlySet<string> {
  const lines = readFileSync(path, 'utf8').split('\n').slice(1);
  return new Set(lines.map((line) => line.trim().split(/\s+/)[column] ?? ''));
}

/** Throws if the metric is not there: a number that is never seen would never be too large. */
export function valueIn(metrics: string, name: string): number {
  const found = new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics);
  if (!found) throw new Error(`the node does not tell ${name}`);
  return Number(found[1]);
}

/** What a node at rest keeps that it should not, beside what it held at an earlier rest; nothing if it is flat. */
export function leaks(before: Held, after: Held): string[] {
  const found: string[] = [];
  for (const name of ['requests', 'flights', 'pins', 'loans'] as const) {
    if (after[name] !== 0) found.push(`${after[name]} ${name} at rest (${before[name]} before)`);
  }
  if (after.descriptors > before.descriptors + descriptorMargin) {
    found.push(`${after.descriptors} descriptors, ${before.descriptors} before`);
  }
  if (after.rssBytes > before.rssBytes * (1 + rssMarginShare) + rssMarginBytes) {
    found.push(`${mebibytes(after.rssBytes)} MiB resident, ${mebibytes(before.rssBytes)} before`);
  }
  return found;
}

export function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}
