/** What a stage of `npm test` found. */
export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Shown where something failed or was left out. */
  readonly report: string;
  /** Test files that failed, and passed when they were run again, alone; the report says how they failed. */
  readonly unsteady?: readonly string[];
}

export interface Stage {
  /** How it is named on the command line. */
  readonly name: string;
  readonly title: string;
  run(): Promise<Outcome>;
}

/** The outcome of a stage whose component is not to be had on this machine. */
export function leftOut(reason: string): Outcome {
  return { passed: 0, failed: 0, skipped: 1, report: `left out: ${reason}` };
}

/** Adds outcomes up; the reports are not kept. */
export function total(outcomes: readonly Outcome[]): Outcome {
  const sum = (pick: (outcome: Outcome) => number): number =>
    outcomes.reduce((count, outcome) => count + pick(outcome), 0);
  return {
    passed: sum((outcome) => outcome.passed),
    failed: sum((outcome) => outcome.failed),
    skipped: sum((outcome) => outcome.skipped),
    report: '',
  };
}

/** In continuous integration nothing may be left out: a whole stage that did not run is a failure there. */
export function judge(outcome: Outcome, inCi: boolean): Outcome {
  const ran = outcome.passed + outcome.failed > 0;
  if (ran || (outcome.skipped > 0 && !inCi)) return outcome;
  return {
    passed: 0,
    failed: 1,
    skipped: 0,
    report: outcome.skipped > 0 ? outcome.report : `no test was run\n${outcome.report}`,
  };
}

/** The closing line, the only one of this form. */
export function closingLine({ passed, failed, skipped }: Outcome): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
