/** So much is enough to be off by a few hundredths. */
const enough = 4096;
const goldenPart = 0.618;

/** About the sum of `of(0)` to `of(count - 1)`, from as many of them as tell it; exact where it is small. */
export function sampledSum(count: number, of: (index: number) => number): number {
  // Indices spread evenly from the first on, each once.
  let step = Math.max(1, Math.floor(count * goldenPart));
  while (commonDivisor(step, count) > 1) step++;
  let sum = 0;
  for (let i = 0, index = 0; i < count; i++, index = (index + step) % count) {
    if (sum >= enough) return Math.round((sum * count) / i);
    sum += of(index);
  }
  return sum;
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
