import { actionsOfPattern } from './actions.ts';
import type { ConditionKey } from './policy.ts';

/** Keys of S3's own that requests here can have a value for. Source: S3 User Guide, "Bucket policy examples using condition keys". */
const plainKeys: ReadonlySet<string> = new Set([
  's3:authtype',
  's3:delimiter',
  's3:if-match',
  's3:if-none-match',
  's3:locationconstraint',
  's3:max-keys',
  's3:objectcreationoperation',
  's3:prefix',
  's3:requestobjecttagkeys',
  's3:resourceaccount',
  's3:signatureage',
  's3:signatureversion',
  's3:tlsversion',
  's3:versionid',
]);
const headerKey = /^s3:x-amz-[a-z0-9-]+$/;
const tagKeys: ReadonlySet<string> = new Set(['s3:existingobjecttag', 's3:requestobjecttag']);

/** Keys that only some actions have; a statement that has none of these actions can never hold. */
const actionsOfKey: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries({
    's3:prefix': 's3:listbucket*',
    's3:delimiter': 's3:listbucket*',
    's3:max-keys': 's3:listbucket*',
    's3:x-amz-copy-source': 's3:putobject',
    's3:x-amz-metadata-directive': 's3:putobject',
  }).map(([key, pattern]) => [key, new Set(actionsOfPattern(pattern))]),
);

/** Undefined for a key that is none of S3's. AWS-wide keys are taken whatever they are: most have no value here. */
export function parseConditionKey(written: string): ConditionKey | undefined {
  const slash = written.indexOf('/');
  const name = (slash < 0 ? written : written.slice(0, slash)).toLowerCase();
  if (name.startsWith('aws:')) return slash < 0 ? { name } : { name, tag: written.slice(slash + 1) };
  if (slash >= 0) {
    const tag = written.slice(slash + 1);
    return tagKeys.has(name) && tag !== '' ? { name, tag } : undefined;
  }
  return plainKeys.has(name) || headerKey.test(name) ? { name } : undefined;
}

/** Whether one of the actions (lower case) can come with the key. */
export function keyFitsActions({ name }: ConditionKey, actions: ReadonlySet<string>): boolean {
  const fitting = actionsOfKey.get(name);
  return fitting === undefined || [...fitting].some((action) => actions.has(action));
}

const userArn = /^arn:aws[a-z-]*:iam::[^:]*:user\/(?:.*\/)?([^/]+)$/;
const rootArn = /^arn:aws[a-z-]*:iam::([^:]*):root$/;

/**
 * A value of a policy in the one form that values of requests have: ARNs of users without account and path, which are passed over in
 * principals too, and sources of copies without the slash that may stand before them.
 */
export function valueForKey({ name }: ConditionKey, written: string): string {
  if (name === 's3:x-amz-copy-source') return written.replace(/^\//, '');
  if (name !== 'aws:principalarn') return written;
  const [, account] = rootArn.exec(written) ?? [];
  if (account !== undefined) return principalArn(account);
  const [, user] = userArn.exec(written) ?? [];
  if (user !== undefined) return principalArn(user);
  return written.replace(/^(arn:aws[a-z-]*:iam::)[^:]*:/, '$1:');
}

/** The ARN of a user as `valueForKey` has it. */
export function principalArn(user: string): string {
  return `arn:aws:iam:::user/${user}`;
}
