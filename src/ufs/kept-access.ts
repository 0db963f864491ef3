import type { ObjectAccess } from '../common/access-control.ts';

/** What is kept of an object's access: nothing of one that says nothing, which takes away what was kept. */
export function keptAccess(access: ObjectAccess | undefined): { readonly access?: ObjectAccess } {
  if (access === undefined || (access.owner === undefined && access.grants === undefined)) return {};
  return { access };
}
