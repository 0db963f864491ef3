import type { Tag } from '../common/object-meta.ts';

/** What an object's metadata tells of its tags. */
export function tagCountOf(tags: readonly Tag[] | undefined): { readonly tagCount?: number } {
  return tags === undefined || tags.length === 0 ? {} : { tagCount: tags.length };
}

/** Tags as they are kept: none are no property. */
export function keptTags(tags: readonly Tag[] | undefined): { readonly tags?: readonly Tag[] } {
  return tags === undefined || tags.length === 0 ? {} : { tags };
}
