import { readdirSync, readFileSync } from 'node:fs';
import type { Node } from '../lib/servers.ts';

/** What a node holds at one moment. */
export interface Held {
  readonly rssBytes: number;
  readonly descriptors: number;
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
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    requests: valueIn(metrics, 'forebay_requests_in_flight'),
    flights: valueIn(metrics, 'forebay_page_flights'),
    pins: valueIn(metrics, 'forebay_memory_pins'),
    loans: valueIn(metrics, 'forebay_memory_lent_segments'),
  };
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
