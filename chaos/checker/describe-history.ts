import type { KeyHistory } from './operation.ts';

/** A line an operation, in order of time. */
export function describeHistory({ key, operations }: KeyHistory): string {
  const firstMs = Math.min(...operations.map(({ startMs }) => startMs));
  const at = (ms: number) => (ms === Number.POSITIVE_INFINITY ? '?' : `${Math.round(ms - firstMs)}`);
  const lines = operations
    .toSorted((a, b) => a.startMs - b.startMs)
    .map(({ startMs, endMs, label }) => `  [${at(startMs)}, ${at(endMs)}] ms  ${label}`);
  return [`${key}, from ${Math.round(firstMs)} ms of the campaign on:`, ...lines].join('\n');
}
