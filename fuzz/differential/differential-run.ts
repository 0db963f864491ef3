import { Draws } from '../lib/draws.ts';
import type { FuzzRun, Violation } from '../lib/fuzzer.ts';
import { shrinkList } from '../lib/shrink.ts';
import { drawSequence } from './draw-sequence.ts';
import type { KnownDifference } from './known-differences.ts';
import { type Difference, differences, type NormalAnswer, rootProblem } from './normal-answer.ts';
import type { DifferentialSide } from './side.ts';
import type { Step } from './step.ts';
import type { WorldSettings } from './world.ts';

export const sequenceLength = 30;

export interface DifferentialSettings extends WorldSettings {
  /** Buckets that a sequence finds empty. */
  readonly buckets: readonly string[];
  /** Buckets that it may make. */
  readonly extraBuckets: readonly string[];
  readonly known: readonly KnownDifference[];
}

interface Found {
  readonly step: Step;
  readonly differences: readonly Difference[];
}

/** The same sequences to Forebay and to another server, step by step, every answer compared. */
export class DifferentialRun implements FuzzRun {
  readonly #ours: DifferentialSide;
  readonly #theirs: DifferentialSide;
  readonly #settings: DifferentialSettings;
  readonly #end: () => Promise<void>;
  readonly #met = new Map<KnownDifference, number>();
  #steps = 0;
  #cutShort = 0;

  constructor(
    ours: DifferentialSide,
    theirs: DifferentialSide,
    settings: DifferentialSettings,
    end: () => Promise<void>,
  ) {
    this.#ours = ours;
    this.#theirs = theirs;
    this.#settings = settings;
    this.#end = end;
  }

  async tryCase(seed: number): Promise<Violation | undefined> {
    const steps = drawSequence(new Draws(seed), sequenceLength, this.#settings);
    const found = await this.#perform(steps);
    if (found === undefined) return undefined;
    const upTo = steps.slice(0, steps.indexOf(found.step) + 1);
    const isSame = (other: Found | undefined): boolean =>
      other?.step.operation === found.step.operation &&
      other.differences[0]?.field === found.differences[0]?.field;
    const fewest = await shrinkList(upTo, async (fewer) => isSame(await this.#perform(fewer)), 60);
    // Once more, for what is told of it.
    const shown = (await this.#perform(fewest)) ?? found;
    return { what: described(shown), input: fewest.map((step) => JSON.stringify(step)).join('\n') };
  }

  summary(): readonly string[] {
    const met = [...this.#met].map(([known, count]) => `${count} × ${known.because}`);
    return [
      `${this.#steps} requests to each side; ${this.#cutShort} sequences ended at a known difference`,
      ...met,
    ];
  }

  async close(): Promise<void> {
    this.#ours.close();
    this.#theirs.close();
    await this.#end();
  }

  /** The first difference that is not known. Begins with empty buckets. */
  async #perform(steps: readonly Step[]): Promise<Found | undefined> {
    await Promise.all([this.#prepare(this.#ours), this.#prepare(this.#theirs)]);
    for (const step of steps) {
      this.#steps++;
      const [ours, theirs] = await Promise.all([this.#ours.perform(step), this.#theirs.perform(step)]);
      const root = rootProblem(step, ours);
      const all = [...differences(ours, theirs), ...(root === undefined ? [] : [root])];
      const unknown = all.filter((difference) => !this.#isKnown(step, difference));
      if (unknown.length > 0) return { step, differences: unknown };
      const hasParted = all.some((difference) => this.#known(step, difference)?.parts);
      if (hasParted || didOnlyOne(step, ours, theirs)) {
        this.#cutShort++;
        return undefined;
      }
    }
    return undefined;
  }

  async #prepare(side: DifferentialSide): Promise<void> {
    side.begin();
    await side.clear(this.#settings.buckets, this.#settings.extraBuckets, this.#settings.settings);
  }

  #known(step: Step, difference: Difference): KnownDifference | undefined {
    return this.#settings.known.find((entry) => matches(entry, step, difference));
  }

  #isKnown(step: Step, difference: Difference): boolean {
    const known = this.#known(step, difference);
    if (known !== undefined) this.#met.set(known, (this.#met.get(known) ?? 0) + 1);
    return known !== undefined;
  }
}

/** Whether from here on the two hold different things. */
function didOnlyOne(step: Step, ours: NormalAnswer, theirs: NormalAnswer): boolean {
  if (step.method === 'GET' || step.method === 'HEAD') return false;
  const [our = '', their = ''] = [ours.get('status')?.[0], theirs.get('status')?.[0]];
  return our.startsWith('2') !== their.startsWith('2');
}

function matches(entry: KnownDifference, step: Step, difference: Difference): boolean {
  return (
    entry.operations.includes(step.operation) &&
    entry.field.test(difference.field) &&
    (entry.ours === undefined || entry.ours.test(difference.ours)) &&
    (entry.theirs === undefined || entry.theirs.test(difference.theirs)) &&
    (entry.when === undefined || entry.when(step))
  );
}

function described({ step, differences: found }: Found): string {
  const lines = found.map(({ field, ours, theirs }) => `  ${field}: ${ours}, the other ${theirs}`);
  return [`${step.operation} (step ${step.id}) is answered differently:`, ...lines].join('\n');
}
