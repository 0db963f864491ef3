import type { Random } from '../common/random.ts';
import { mapBounded } from './bounded.ts';
import type { GcsObjectToMake } from './gcs-object.ts';
import { uploadFolder } from './gcs-parts.ts';
import { type GcsRewriter, type GcsSource, maxComposed } from './gcs-rewrite.ts';

/** Compositions at once. */
const atOnce = 8;

/**
 * At most 32 sources that have together what many have, in order: groups of them are composed under hidden names, and groups of those,
 * so that 10,000 take three steps. The last step, which makes the object, is left to the caller.
 */
export async function composeDown(
  random: Random,
  rewriter: GcsRewriter,
  call: { readonly operation: string; readonly key: string; readonly signal: AbortSignal | undefined },
  sources: readonly GcsSource[],
  { uploadId, resource }: { readonly uploadId: string; readonly resource: GcsObjectToMake },
): Promise<readonly GcsSource[]> {
  let level = sources;
  while (level.length > maxComposed) {
    level = await mapBounded(groupsOf(level), atOnce, async (group) => {
      if (group.length === 1) return group[0] as GcsSource;
      const key = `${uploadFolder(uploadId)}composed/${random.uuid()}`;
      const { generation } = await rewriter.compose(call, group, key, resource, 'absent');
      return { key, generation };
    });
  }
  return level;
}

/** As few groups as there can be, of sizes as like as there can be. */
function groupsOf(sources: readonly GcsSource[]): GcsSource[][] {
  const count = Math.ceil(sources.length / maxComposed);
  return Array.from({ length: count }, (_, index) =>
    sources.slice(
      Math.floor((index * sources.length) / count),
      Math.floor(((index + 1) * sources.length) / count),
    ),
  );
}
