import { performance } from 'node:perf_hooks';
import { Draws } from '../lib/draws.ts';
import type { FuzzRun, Violation } from '../lib/fuzzer.ts';
import type { DecoderCheck } from './decoder.ts';

/** No input of these sizes takes a decoder a hundredth of this: beyond it, it hangs. */
const hangMs = 5_000;
const checksOfCase = 20;

/** All decoders in turn, in this process: what they throw that is no S3 error fails the case. */
export class DecoderRun implements FuzzRun {
  readonly #checks: readonly DecoderCheck[];
  readonly #counts = new Map<string, number>();

  constructor(checks: readonly DecoderCheck[]) {
    this.#checks = checks;
  }

  async tryCase(seed: number): Promise<Violation | undefined> {
    const draws = new Draws(seed);
    for (let count = 0; count < checksOfCase; count++) {
      const check = draws.pick(this.#checks);
      this.#counts.set(check.name, (this.#counts.get(check.name) ?? 0) + 1);
      const found = this.#problem(check, draws);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  summary(): readonly string[] {
    return [[...this.#counts].map(([name, count]) => `${name}: ${count}`).join(', ')];
  }

  async close(): Promise<void> {}

  #problem(check: DecoderCheck, draws: Draws): Violation | undefined {
    const startedMs = performance.now();
    try {
      const problem = check.check(draws);
      if (problem !== undefined)
        return { what: `${check.name}: ${problem.what}`, input: JSON.stringify(problem.input) };
    } catch (error) {
      return { what: `${check.name}: ${error instanceof Error ? error.stack : error}`, input: '' };
    }
    const tookMs = performance.now() - startedMs;
    return tookMs > hangMs
      ? { what: `${check.name}: it took ${Math.round(tookMs)} ms`, input: '' }
      : undefined;
  }
}
