import type { BucketPolicy, Expand, PolicyQuestion, Statement, Verdict } from './policy.ts';
import { matchesWildcard } from './wildcard.ts';

/** One statement that denies outweighs all that allow. Source: IAM User Guide, "Policy evaluation logic". */
export function evaluatePolicy(policy: BucketPolicy, question: PolicyQuestion): Verdict {
  const action = question.action.toLowerCase();
  const expand = expanderFor(question);
  let verdict: Verdict = 'neither';
  for (const statement of policy.statements) {
    if (verdict === 'allow' && statement.effect === 'Allow') continue;
    if (!applies(statement, question, action, expand)) continue;
    if (statement.effect === 'Deny') return 'deny';
    verdict = 'allow';
  }
  return verdict;
}

function applies(statement: Statement, question: PolicyQuestion, action: string, expand: Expand): boolean {
  const { principals, actions, resources, conditions } = statement;
  const isNamed =
    principals.everybody || (question.user !== undefined && principals.users.has(question.user));
  if (isNamed === statement.exceptPrincipals) return false;
  if (actions.some((pattern) => matchesWildcard(pattern, action)) === statement.exceptActions) return false;
  const isThere = resources.some((pattern) => {
    const expanded = expand(pattern);
    return expanded !== undefined && matchesWildcard(expanded, question.resource);
  });
  if (isThere === statement.exceptResources) return false;
  return conditions.every(({ key, holds }) => holds(question.values(key), expand));
}

const variable = /\$\{([^}]*)\}/g;

/**
 * Source: IAM User Guide, "IAM policy elements: Variables and tags". Only keys whose values hold no wildcard are variables here: a user's
 * name and the kind of caller.
 */
function expanderFor({ values }: PolicyQuestion): Expand {
  return (pattern) => {
    if (!pattern.includes('${')) return pattern;
    let isKnown = true;
    const expanded = pattern.replace(variable, (_whole, name: string) => {
      const lower = name.toLowerCase();
      const value = expandable.has(lower) ? values({ name: lower })?.[0] : undefined;
      if (value === undefined) isKnown = false;
      return value ?? '';
    });
    return isKnown ? expanded : undefined;
  };
}

const expandable: ReadonlySet<string> = new Set(['aws:username', 'aws:userid', 'aws:principaltype']);
