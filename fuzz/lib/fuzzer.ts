/** What one case found wrong, shrunk as far as that went. */
export interface Violation {
  /** What differs from what must be, in a line or a few. */
  readonly what: string;
  /** The least input that still shows it, as JSON or text. */
  readonly input: string;
}

/** One kind of input, with everything started that it needs. */
export interface FuzzRun {
  /** Draws a case from the seed, tries it, and gives what was wrong, shrunk. Cases do not depend on each other. */
  tryCase(seed: number): Promise<Violation | undefined>;
  /** Lines about what was tried, for the closing report. */
  summary(): readonly string[];
  /** Ends what it started. Rejects if something of it did not live through the run. */
  close(): Promise<void>;
}

export interface Fuzzer {
  /** As `--only` names it. */
  readonly name: string;
  readonly title: string;
  /** Rejects with `NotInstallable` where a server that it needs is not to be had. */
  open(): Promise<FuzzRun>;
}
