/**
 * Leaves out of a list what a failure does not need: halves first, then smaller pieces, then single items (delta debugging,
 * Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002). `fails` tells whether the failure is still
 * there; it is asked at most `tries` times.
 */
export async function shrinkList<Item>(
  items: readonly Item[],
  fails: (fewer: readonly Item[]) => Promise<boolean>,
  tries = 200,
): Promise<readonly Item[]> {
  let kept = items;
  let left = tries;
  for (let size = Math.ceil(kept.length / 2); size >= 1 && left > 0; ) {
    let leftOut = false;
    for (let at = kept.length - size; at > -size && left > 0; at -= size) {
      const fewer = [...kept.slice(0, Math.max(0, at)), ...kept.slice(at + size)];
      if (fewer.length === kept.length) continue;
      left--;
      if (await fails(fewer)) {
        kept = fewer;
        leftOut = true;
      }
    }
    if (size > 1) size = Math.ceil(size / 2);
    else if (!leftOut) break;
  }
  return kept;
}
