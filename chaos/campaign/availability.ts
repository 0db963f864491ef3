/** How many of the operations of one kind had the answer that they asked for, and how long those took, milliseconds. */
interface Tally {
  asked: number;
  readonly tookMs: number[];
}

export type Purpose = 'read' | 'write' | 'list';

/** One operation, as its client saw it. */
export interface Asked {
  readonly purpose: Purpose;
  /** Whether nothing was done to the node all the while. */
  readonly isNodeWell: boolean;
  readonly startMs: number;
  readonly endMs: number;
  /** In a few words, what came in place of an answer. */
  readonly problem?: string;
  /** For a report. */
  readonly label: string;
}

/** From here on an operation is told by name. */
const slowMs = 5_000;
/** Such operations that are kept. */
const maxTold = 5_000;

/** What clients got out of the cluster: an answer to what they asked, at the first try, through nodes that something was done to and others. */
export class Availability {
  readonly refusals = new Map<string, number>();
  /** Operations without an answer, and slow ones. */
  readonly told: string[] = [];
  private readonly tallies = new Map<string, Tally>();

  count({ purpose, isNodeWell, startMs, endMs, problem, label }: Asked): void {
    const tookMs = endMs - startMs;
    const where = `${purpose} ${isNodeWell ? 'well' : 'troubled'}`;
    for (const name of [purpose, where]) {
      const tally = this.tallies.get(name) ?? { asked: 0, tookMs: [] };
      tally.asked += 1;
      if (problem === undefined) tally.tookMs.push(tookMs);
      this.tallies.set(name, tally);
    }
    if ((problem !== undefined || tookMs > slowMs) && this.told.length < maxTold) {
      const at = (startMs / 1000).toFixed(2);
      this.told.push(`${at} s, ${Math.round(tookMs)} ms, ${where}, ${label}: ${problem ?? 'answered'}`);
    }
    if (problem === undefined) return;
    const name = `${where}: ${problem}`;
    this.refusals.set(name, (this.refusals.get(name) ?? 0) + 1);
  }

  /** Operations of all kinds. */
  get asked(): number {
    return (['read', 'write', 'list'] as const).reduce(
      (sum, name) => sum + (this.tallies.get(name)?.asked ?? 0),
      0,
    );
  }

  lines(): string[] {
    const lines: string[] = [];
    for (const purpose of ['read', 'write', 'list']) {
      const parts = ['', ' well', ' troubled'].map((suffix) => this.share(`${purpose}${suffix}`));
      lines.push(
        `${purpose}s answered at the first try: ${parts[0]}; through nodes that nothing was done to ${parts[1]}, others ${parts[2]}`,
      );
    }
    return lines;
  }

  asJson(): object {
    return Object.fromEntries([...this.tallies].map(([name, tally]) => [name, summaryOf(tally)]));
  }

  private share(name: string): string {
    const tally = this.tallies.get(name);
    if (!tally) return 'none asked';
    const { asked, answered, medianMs, p99Ms, longestMs } = summaryOf(tally);
    const share = `${((100 * answered) / asked).toFixed(2)} % of ${asked}`;
    return answered === 0 ? share : `${share} in ${medianMs} ms, 99 % in ${p99Ms} ms, all in ${longestMs} ms`;
  }
}

function summaryOf({ asked, tookMs }: Tally) {
  const sorted = tookMs.toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? 0);
  return { asked, answered: sorted.length, medianMs: at(0.5), p99Ms: at(0.99), longestMs: at(1) };
}
