import { parseConditionKey } from './condition-keys.ts';
import type { BucketPolicy, Matching, PolicyQuestion, Statement, Verdict } from './policy.ts';
import { asPattern, Effort, EffortSpent, matchesWildcard } from './wildcard.ts';

/** Some milliseconds. The largest policy of patterns such as `*.jpg` asked about the longest key takes half of it. */
const mostSteps = 1_000_000;

/**
 * One statement that denies outweighs all that allow. Source: IAM User Guide, "Policy evaluation logic". What cannot be decided with
 * reasonable effort is denied.
 */
export function evaluatePolicy(policy: BucketPolicy, question: PolicyQuestion): Verdict {
  const decides = decidingStatement(policy, question);
  if (decides === undefined) return 'neither';
  if (decides === 'effort-spent') return 'deny';
  return decides.effect === 'Deny' ? 'deny' : 'allow';
}

/** The statement by which the policy decides; undefined: none is about it. `effort-spent`: it is denied, for nobody can tell. */
export function decidingStatement(
  policy: BucketPolicy,
  question: PolicyQuestion,
): Statement | 'effort-spent' | undefined {
  try {
    return decide(policy, question);
  } catch (error) {
    if (error instanceof EffortSpent) return 'effort-spent';
    throw error;
  }
}

function decide(policy: BucketPolicy, question: PolicyQuestion): Statement | undefined {
  const action = question.action.toLowerCase();
  const matching = new QuestionMatching(question, policy.hasVariables);
  let allowing: Statement | undefined;
  for (const statement of policy.statements) {
    if (allowing && statement.effect === 'Allow') continue;
    if (!applies(statement, question, action, matching)) continue;
    if (statement.effect === 'Deny') return statement;
    allowing = statement;
  }
  return allowing;
}

function applies(
  statement: Statement,
  question: PolicyQuestion,
  action: string,
  matching: QuestionMatching,
): boolean {
  const { principals, actions, resources, conditions } = statement;
  const isNamed =
    principals.everybody || (question.user !== undefined && principals.users.has(question.user));
  if (isNamed === statement.exceptPrincipals) return false;
  if (actions.some((pattern) => matching.isLike(action, pattern)) === statement.exceptActions) return false;
  const isThere = resources.some((pattern) => {
    const expanded = matching.expand(pattern, 'pattern');
    return expanded !== undefined && matching.isLike(question.resource, expanded);
  });
  if (isThere === statement.exceptResources) return false;
  return conditions.every(({ key, holds }) => holds(question.values(key), matching));
}

const variable = /\$\{([^}]*)\}/g;
/** Inside of a variable: a key, and perhaps what is to stand there where the request has no value for it. */
const inside = /^\s*([^,\s]+)\s*(?:,\s*'([^']*)'\s*)?$/;
const signs: ReadonlySet<string> = new Set(['*', '?', '$']);

/** Source: IAM User Guide, "IAM policy elements: Variables and tags". What a value holds is no pattern. */
class QuestionMatching implements Matching {
  readonly #values: PolicyQuestion['values'];
  readonly #hasVariables: boolean;
  readonly #effort = new Effort(mostSteps);

  constructor({ values }: PolicyQuestion, hasVariables: boolean) {
    this.#values = values;
    this.#hasVariables = hasVariables;
  }

  isLike(text: string, pattern: string): boolean {
    this.#effort.spend(1);
    return matchesWildcard(pattern, text, this.#effort);
  }

  spend(steps: number): void {
    this.#effort.spend(steps);
  }

  expand(written: string, as: 'pattern' | 'text'): string | undefined {
    if (!this.#hasVariables || !written.includes('${')) return written;
    let isKnown = true;
    const expanded = written.replace(variable, (_whole, name: string) => {
      const value = signs.has(name) ? name : this.#valueOf(name);
      if (value === undefined) isKnown = false;
      this.#effort.spend(16 + (value?.length ?? 0));
      return as === 'pattern' ? asPattern(value ?? '') : (value ?? '');
    });
    return isKnown ? expanded : undefined;
  }

  #valueOf(name: string): string | undefined {
    const [, written = '', otherwise] = inside.exec(name) ?? [];
    const key = parseConditionKey(written);
    const values = key && this.#values(key);
    // Only what has one value can stand in a text.
    return values === undefined ? otherwise : values.length === 1 ? values[0] : undefined;
  }
}
