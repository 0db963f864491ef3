/** Whether `text` is of the form of `pattern`: `*` stands for any characters, `?` for one. Takes time in proportion to both lengths' product. */
export function matchesWildcard(pattern: string, text: string): boolean {
  let at = 0;
  let place = 0;
  let star = -1;
  let behindStar = 0;
  while (place < text.length) {
    const wanted = pattern[at];
    if (wanted === '*') {
      star = at++;
      behindStar = place;
    } else if (wanted !== undefined && (wanted === '?' || wanted === text[place])) {
      at++;
      place++;
    } else if (star >= 0) {
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
