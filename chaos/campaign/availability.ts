/** How many of the operations of one kind had the answer that they asked for. */
interface Tally {
  asked: number;
  answered: number;
}

export type Purpose = 'read' | 'write' | 'list';

/** What clients got out of the cluster: an answer to what they asked, at the first try, through nodes that something was done to and others. */
export class Availability {
  readonly refusals = new Map<string, number>();
  private readonly tallies = new Map<string, Tally>();

  /** `problem`: in a few words, what came in place of an answer. */
  count(purpose: Purpose, isNodeWell: boolean, problem?: string): void {
    for (const name of [purpose, `${purpose} ${isNodeWell ? 'well' : 'troubled'}`]) {
      const tally = this.tallies.get(name) ?? { asked: 0, answered: 0 };
      tally.asked += 1;
      if (problem === undefined) tally.answered += 1;
      this.tallies.set(name, tally);
    }
    if (problem === undefined) return;
    const name = `${purpose} ${isNodeWell ? 'well' : 'troubled'}: ${problem}`;
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

  asJson(): { readonly [name: string]: Readonly<Tally> } {
    return Object.fromEntries(this.tallies);
  }

  private share(name: string): string {
    const { asked, answered } = this.tallies.get(name) ?? { asked: 0, answered: 0 };
    return asked === 0 ? 'none asked' : `${((100 * answered) / asked).toFixed(2)} % of ${asked}`;
  }
}
