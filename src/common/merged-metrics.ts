import {
  AggregatorRegistry,
  type MetricObjectWithValues,
  type MetricValue,
  type Registry,
} from 'prom-client';

/** What one thread has counted: plain data. */
export type MetricValues = readonly MetricObjectWithValues<MetricValue<string>>[];

interface NamedValue extends MetricValue<string> {
  /** Of a histogram: its `_bucket`, `_sum` or `_count`. */
  readonly metricName?: string;
}

/** The sums of counters and histograms. What is measured now (gauges) has no meaning once its thread is no more, and is left out. */
export function mergeCounters(all: readonly MetricValues[]): MetricValues {
  const merged = new Map<string, MetricObjectWithValues<NamedValue>>();
  for (const metric of all.flat()) {
    if (String(metric.type) === 'gauge') continue;
    const values = [...(merged.get(metric.name)?.values ?? [])];
    for (const value of metric.values as NamedValue[]) {
      const at = values.findIndex((other) => isSame(other, value));
      const before = values[at];
      if (before) values[at] = { ...before, value: before.value + value.value };
      else values.push(value);
    }
    merged.set(metric.name, { ...metric, values });
  }
  return [...merged.values()];
}

/** One text for the metrics of all threads, added up. */
export async function mergedText(own: Registry, others: readonly MetricValues[]): Promise<string> {
  const all = [await own.getMetricsAsJSON(), ...others];
  return AggregatorRegistry.aggregate(all as never).metrics();
}

/** The sum of one metric's numbers whose labels are wanted, over all threads. */
export function sumOf(
  all: readonly MetricValues[],
  name: string,
  isWanted: (labels: Readonly<Record<string, string | number>>) => boolean = () => true,
): number {
  let sum = 0;
  for (const metric of all.flat()) {
    if (metric.name !== name) continue;
    for (const { labels, value } of metric.values) {
      if (isWanted(labels as Readonly<Record<string, string | number>>)) sum += value;
    }
  }
  return sum;
}

function isSame(a: NamedValue, b: NamedValue): boolean {
  return a.metricName === b.metricName && JSON.stringify(a.labels) === JSON.stringify(b.labels);
}
