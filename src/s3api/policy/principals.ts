import type { Principals } from './policy.ts';

/** Kinds of principals that there are none of here: a statement may name them, and is then about nobody. */
const strangers: ReadonlySet<string> = new Set(['Service', 'Federated']);

const iamArn = /^arn:aws[a-z-]*:(?:iam|sts)::([^:]*):(.+)$/;
const nobody: Principals = { everybody: false, users: new Set() };

/**
 * `*`, or an object such as `{"AWS": "arn:aws:iam::123456789012:user/NAME"}`; undefined for what names nobody rightly. A user is named by
 * an ARN of whatever account, by its account's `:root` or by its canonical id, both of which are its name. An ARN has to have the form of
 * one only, since its user may come later; a name alone must be a user's.
 */
export function parsePrincipals(value: unknown, isUser: (name: string) => boolean): Principals | undefined {
  if (value === '*') return { everybody: true, users: new Set() };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const kinds = Object.entries(value);
  if (kinds.length === 0) return undefined;
  let together = nobody;
  for (const [kind, named] of kinds) {
    const found = parseKind(kind, namesOf(named), isUser);
    if (found === undefined) return undefined;
    together = {
      everybody: together.everybody || found.everybody,
      users: new Set([...together.users, ...found.users]),
    };
  }
  return together;
}

function namesOf(named: unknown): readonly string[] | undefined {
  const names: unknown[] = Array.isArray(named) ? named : [named];
  return names.length > 0 && names.every((name) => typeof name === 'string') ? names : undefined;
}

function parseKind(
  kind: string,
  names: readonly string[] | undefined,
  isUser: (name: string) => boolean,
): Principals | undefined {
  if (names === undefined) return undefined;
  if (strangers.has(kind)) return nobody;
  if (kind !== 'AWS' && kind !== 'CanonicalUser') return undefined;
  const users = new Set<string>();
  let everybody = false;
  for (const name of names) {
    if (kind === 'AWS' && name === '*') everybody = true;
    else if (kind === 'AWS' && name.startsWith('arn:')) {
      const user = userOfArn(name);
      if (user === undefined) return undefined;
      if (user !== '') users.add(user);
    } else if (isUser(name)) users.add(name);
    else return undefined;
  }
  return { everybody, users };
}

/** The name; '' for what is no user, such as a role; undefined for what is no ARN of a principal. */
function userOfArn(arn: string): string | undefined {
  const match = iamArn.exec(arn);
  const account = match?.[1] ?? '';
  const resource = match?.[2] ?? '';
  if (resource === 'root') return account === '' ? undefined : account;
  const [kind, ...path] = resource.split('/');
  const name = path.at(-1) ?? '';
  if (name === '' || name.includes('*')) return undefined;
  if (kind === 'user') return name;
  return kind === 'role' || kind === 'assumed-role' || kind === 'federated-user' ? '' : undefined;
}
