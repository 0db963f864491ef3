/** How a process can fail where it changes its disk. */
export type Strike = 'power' | 'error';

interface Point {
  reached: number;
  readonly struck: Record<Strike, number>;
}

/**
 * The places in the source from which the disk is changed: found as they are reached, and struck each in turn, by the power going right before
 * the change and by its failing. A place is the line of the part under test, and the line of what it calls to change the disk.
 */
export class FailurePoints {
  readonly #part: RegExp;
  readonly #points = new Map<string, Point>();
  readonly #next: () => number;
  #left = 0;
  /** What was struck so far, for whoever looks for the reason of something. */
  readonly strikes: string[] = [];

  /** `part`: matches the paths of the part under test, and its first group is what a place is called by. `next`: chance. */
  constructor(part: RegExp, next: () => number) {
    this.#part = part;
    this.#next = next;
  }

  /** For a process: it is struck twice at most, wherever there has been none yet, so that what clears up after the first may fail too. */
  arm(): void {
    this.#left = 2;
  }

  /** What becomes of the change that is about to be made, by whoever is on the stack. */
  reach(): Strike | undefined {
    const place = this.#placeOf(stackHere());
    const point = this.#points.get(place) ?? { reached: 0, struck: { power: 0, error: 0 } };
    this.#points.set(place, point);
    point.reached++;
    const open = (['power', 'error'] as const).filter((kind) => point.struck[kind] === 0);
    if (this.#left === 0) return undefined;
    // Not always at the first time: what comes later in a run is to be reached as well. And what clears up after an error is reached by errors alone.
    const [chance, kinds] = open.length > 0 ? [0.5, open] : [0.06, ['error'] as const];
    if (this.#next() >= chance) return undefined;
    const strike = kinds[Math.floor(this.#next() * kinds.length)] as Strike;
    this.#left--;
    point.struck[strike]++;
    this.strikes.push(`${place}: ${strike}`);
    return strike;
  }

  /** The lines of the part under test that were reached, `FILE:LINE`. */
  lines(): ReadonlySet<string> {
    return new Set([...this.#points.keys()].map((place) => place.split(' ')[0] as string));
  }

  /** Places at which one of the strikes is still to come. */
  spared(): readonly string[] {
    const spared: string[] = [];
    for (const [place, { struck }] of this.#points) {
      if (struck.power === 0) spared.push(`${place}: the power`);
      if (struck.error === 0) spared.push(`${place}: an error`);
    }
    return spared.sort();
  }

  #placeOf(stack: readonly string[]): string {
    const own = stack.findIndex((frame) => this.#part.test(frame));
    if (own < 0) throw new Error(`a change of the disk by nobody who is known:\n${stack.join('\n')}`);
    const name = (frame: string) => /([^/]+):\d+\)?$/.exec(frame)?.[1] ?? frame;
    const line = (this.#part.exec(stack[own] as string) as RegExpExecArray)[1] as string;
    return own === 0 ? line : `${line} ${name(stack[0] as string)}`;
  }
}

/** The frames below the file system's own, awaiting ones too. */
function stackHere(): string[] {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 30;
  const { stack = '' } = new Error('here');
  Error.stackTraceLimit = before;
  const frames = stack.split('\n').slice(1);
  return frames.filter((frame) => frame.includes('/src/'));
}
