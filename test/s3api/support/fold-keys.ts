import { compareUtf8 } from '../../../src/common/utf8-order.ts';

/**
 * What a list shows of some keys, in order and whole, written straight from S3's rules: keys after the marker, each key with the
 * delimiter behind the prefix folded into its common prefix, and that only if it is after the marker too.
 */
export function foldKeys(
  keys: readonly string[],
  { prefix, delimiter, after }: { prefix: string; delimiter?: string; after?: string },
): readonly { readonly key: string; readonly isPrefix: boolean }[] {
  const folded = new Map<string, boolean>();
  for (const key of keys) {
    if (!key.startsWith(prefix)) continue;
    const at = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
    if (at < 0) folded.set(key, false);
    else folded.set(key.slice(0, at + (delimiter?.length ?? 0)), true);
  }
  return [...folded]
    .map(([key, isPrefix]) => ({ key, isPrefix }))
    .filter(({ key }) => after === undefined || compareUtf8(key, after) > 0)
    .sort((a, b) => compareUtf8(a.key, b.key));
}
