/** Chance that repeats itself (mulberry32): numbers in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Draws ranks from 0 to `count - 1`, rank r with a weight of 1 / (r + 1)^alpha; with an alpha of 0 all alike. */
export function zipf(count: number, alpha: number, random: () => number): () => number {
  const weightUpTo = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) {
    sum += (rank + 1) ** -alpha;
    weightUpTo[rank] = sum;
  }
  return () => firstAtLeast(weightUpTo, random() * sum);
}

function firstAtLeast(ascending: Float64Array, wanted: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Lengths between two bounds, each octave as frequent as the others: small entries by number, large ones by bytes. */
export function lengths(count: number, least: number, most: number, random: () => number): Uint32Array {
  const span = Math.log(most / least);
  return Uint32Array.from({ length: count }, () => Math.round(least * Math.exp(random() * span)));
}
