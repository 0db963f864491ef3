import { Counter, type Histogram, type Registry } from 'prom-client';

type Labels<T extends string> = Readonly<Record<T, string>>;

/** One number of a `PlainCounter`: adding to it costs what adding to a field costs. */
export interface Cell {
  count: number;
}

/** A counter whose numbers are plain fields; Prometheus' own form is made of them when somebody asks. */
export class PlainCounter<T extends string> {
  private readonly cells: { readonly labels: Labels<T>; readonly cell: Cell; shown: number }[] = [];
  private readonly counter: Counter<T>;

  constructor(registry: Registry, name: string, help: string, labelNames: readonly T[]) {
    this.counter = new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect: () => this.show(),
    });
  }

  /** The number under these labels. To be asked for once and kept: each call makes a new one, and they add up. */
  cell(labels: Labels<T>): Cell {
    const cell = { count: 0 };
    this.cells.push({ labels, cell, shown: 0 });
    return cell;
  }

  /** As Prometheus' counters have it. */
  get(): ReturnType<Counter<T>['get']> {
    return this.counter.get();
  }

  private show(): void {
    for (const one of this.cells) {
      const { count } = one.cell;
      if (count > one.shown) this.counter.inc(one.labels as Record<T, string>, count - one.shown);
      one.shown = count;
    }
  }
}

/** One series of a `PlainHistogram`. */
export class Observations {
  /** How many fell into each bucket, not added up; the last is above all bounds. */
  readonly counts: number[];
  sum = 0;
  private readonly bounds: readonly number[];

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > (this.bounds[bucket] as number)) bucket++;
    (this.counts[bucket] as number)++;
    this.sum += value;
  }
}

/** A histogram with one label, of the same kind. */
export class PlainHistogram<T extends string> {
  readonly name: string;
  private readonly help: string;
  private readonly label: T;
  private readonly bounds: readonly number[];
  private readonly series = new Map<string, Observations>();

  constructor(registry: Registry, name: string, help: string, label: T, bounds: readonly number[]) {
    this.name = name;
    this.help = help;
    this.label = label;
    this.bounds = bounds;
    // What a registry asks of a metric is its name and its values.
    registry.registerMetric(this as unknown as Histogram<T>);
  }

  /** The series under this label, made where there is none. */
  of(value: string): Observations {
    let series = this.series.get(value);
    if (!series) {
      series = new Observations(this.bounds);
      this.series.set(value, series);
    }
    return series;
  }

  /** As Prometheus' histograms have it: each bucket counts what the ones below it count too. */
  async get() {
    const { name, help, label } = this;
    const values: { metricName: string; labels: Record<string, string | number>; value: number }[] = [];
    for (const [value, { counts, sum }] of this.series) {
      const labels = { [label]: value };
      let total = 0;
      for (const [index, count] of counts.entries()) {
        total += count;
        const le = this.bounds[index] ?? '+Inf';
        values.push({ metricName: `${name}_bucket`, labels: { le, ...labels }, value: total });
      }
      values.push({ metricName: `${name}_sum`, labels, value: sum });
      values.push({ metricName: `${name}_count`, labels, value: total });
    }
    return { name, help, type: 'histogram', values, aggregator: 'sum' };
  }

  reset(): void {
    this.series.clear();
  }
}
