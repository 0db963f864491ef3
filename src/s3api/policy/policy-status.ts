import type { Statement } from './policy.ts';

/** Keys that tie a statement to somebody or somewhere that is known, where their values are. */
const tyingKeys: ReadonlySet<string> = new Set([
  'aws:principalarn',
  'aws:principalorgid',
  'aws:sourceaccount',
  'aws:sourcearn',
  'aws:sourceip',
  'aws:sourceorgid',
  'aws:sourceowner',
  'aws:sourcevpc',
  'aws:sourcevpce',
  'aws:userid',
  'aws:username',
  's3:dataaccesspointaccount',
  's3:dataaccesspointarn',
]);

/**
 * Whether it allows something to everybody. A condition on one of the keys above makes it somebody's; one on a header or a prefix, which
 * anybody may send, does not. Source: S3 User Guide, "Blocking public access to your Amazon S3 storage", "The meaning of public".
 */
export function isPublicStatement({ effect, principals, exceptPrincipals, conditions }: Statement): boolean {
  if (effect !== 'Allow') return false;
  if (!principals.everybody && !exceptPrincipals) return false;
  return !conditions.some(({ key, isFixed }) => isFixed && tyingKeys.has(key.name));
}
