/**
 * What one question may cost, in steps of some nanoseconds: a policy and what a request says of itself can be written so that comparing
 * them takes seconds of the thread that everybody shares.
 */
export class Effort {
  #left: number;

  constructor(steps: number) {
    this.#left = steps;
  }

  /** Throws `EffortSpent`. */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new EffortSpent();
  }
}

/** A question costs more than it may. */
export class EffortSpent extends Error {
  override name = 'EffortSpent';
}

/** Stand in patterns for the characters `*` and `?` themselves. No policy holds them otherwise. */
const literals: ReadonlyMap<string, string> = new Map([
  ['*', '\ufffe'],
  ['?', '\uffff'],
]);
const meanings: ReadonlyMap<string, string> = new Map([...literals].map(([meant, mark]) => [mark, meant]));

/** A pattern of a text that is to be taken as it is. */
export function asPattern(text: string): string {
  return text.replace(/[*?]/g, (character) => literals.get(character) ?? character);
}

/** Whether a text holds the characters that patterns keep for themselves. */
export function hasPatternMarks(text: string): boolean {
  return /[\ufffe\uffff]/.test(text);
}

/**
 * Whether `text` is of the form of `pattern`: `*` stands for any characters, `?` for one. Takes time in proportion to both lengths'
 * product, which `effort` bounds. Throws `EffortSpent`.
 */
export function matchesWildcard(pattern: string, text: string, effort?: Effort): boolean {
  let at = 0;
  let place = 0;
  let star = -1;
  let behindStar = 0;
  while (place < text.length) {
    const wanted = pattern[at];
    if (wanted === '*') {
      star = at++;
      behindStar = place;
    } else if (wanted !== undefined && (wanted === '?' || isSame(wanted, text[place]))) {
      at++;
      place++;
    } else if (star >= 0) {
      effort?.spend(place - behindStar + 1);
      // The last star takes in one character more; those before it have no need to.
      at = star + 1;
      place = ++behindStar;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

function isSame(wanted: string, character: string | undefined): boolean {
  return wanted === character || (wanted >= '\ufffe' && meanings.get(wanted) === character);
}
