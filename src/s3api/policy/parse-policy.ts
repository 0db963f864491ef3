import { S3Error } from '../errors.ts';
import { actionsOfPattern, scopeOfAction } from './actions.ts';
import { keyFitsActions, parseConditionKey, valueForKey } from './condition-keys.ts';
import { type ConditionFault, conditionTest, tiesToValues } from './condition-operators.ts';
import type { BucketPolicy, Condition, Statement } from './policy.ts';
import { isPublicStatement } from './policy-status.ts';
import { parsePrincipals } from './principals.ts';
import { parseStrictJson } from './strict-json.ts';
import { hasPatternMarks, matchesWildcard } from './wildcard.ts';

/** S3 User Guide, "Adding a bucket policy": bucket policies are limited to 20 KB. */
export const maxPolicyBytes = 20 * 1024;

type Json = Readonly<Record<string, unknown>>;

export interface PolicyContext {
  /** The bucket that the policy is of. */
  readonly bucket: string;
  readonly isUser: (name: string) => boolean;
}

/** MalformedPolicy, in the words that S3 has for each fault. */
export function parsePolicy(text: string, context: PolicyContext): BucketPolicy {
  if (Buffer.byteLength(text) > maxPolicyBytes) {
    throw malformed('Policy exceeds the maximum allowed document size.');
  }
  const document = parseDocument(text);
  refuseUnknownFields(document, ['Version', 'Id', 'Statement']);
  const version = document.Version ?? '2008-10-17';
  if (version !== '2012-10-17' && version !== '2008-10-17') {
    throw malformed('The policy must contain a valid version string');
  }
  if (document.Statement === undefined) throw malformed('Missing required field Statement');
  const listed: unknown[] = Array.isArray(document.Statement) ? document.Statement : [document.Statement];
  if (listed.length === 0) throw malformed('Could not parse the policy: Statement is empty!');
  const statements = listed.map((statement, index) => parseStatement(statement, context, index + 1));
  const hasVariables = version === '2012-10-17';
  return {
    statements,
    hasVariables,
    asksForTags:
      mentions(statements, 's3:existingobjecttag') || (hasVariables && /\$\{\s*s3:existing/i.test(text)),
    asksForNewTags:
      mentions(statements, 's3:requestobjecttag') || (hasVariables && /\$\{\s*s3:request/i.test(text)),
    isPublic: statements.some(isPublicStatement),
  };
}

/** Whether a statement has a condition on a key whose name begins so. */
function mentions(statements: readonly Statement[], name: string): boolean {
  return statements.some(({ conditions }) => conditions.some(({ key }) => key.name.startsWith(name)));
}

function parseDocument(text: string): Json {
  if (!text.trimStart().startsWith('{')) throw new S3Error('MalformedPolicy');
  if (hasPatternMarks(text)) throw malformed('Policy contains invalid characters');
  try {
    return parseStrictJson(text) as Json;
  } catch (cause) {
    throw new S3Error('MalformedPolicy', { message: 'This policy contains invalid Json', cause });
  }
}

const statementFields = [
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
];

function parseStatement(value: unknown, context: PolicyContext, position: number): Statement {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed('Invalid policy syntax.');
  }
  const json = value as Json;
  refuseUnknownFields(json, statementFields);
  const effect = json.Effect;
  if (effect === undefined) throw malformed('Missing required field Effect');
  if (effect !== 'Allow' && effect !== 'Deny') throw malformed(`Invalid effect: ${String(effect)}`);
  const [who, exceptPrincipals] = either(json, 'Principal', 'NotPrincipal');
  const principals = parsePrincipals(who, context.isUser);
  if (principals === undefined) throw malformed('Invalid principal in policy');
  const [what, exceptActions] = either(json, 'Action', 'NotAction');
  const actions = parseActions(what);
  const [where, exceptResources] = either(json, 'Resource', 'NotResource');
  const resources = parseResources(where, context.bucket);
  if (!exceptActions && !exceptResources) refuseActionsElsewhere(actions, resources);
  const conditions = parseConditions(json.Condition, exceptActions ? undefined : actions);
  return {
    ...(typeof json.Sid === 'string' ? { sid: json.Sid } : {}),
    position,
    effect,
    principals,
    exceptPrincipals,
    actions,
    exceptActions,
    resources,
    exceptResources,
    conditions,
  };
}

function refuseUnknownFields(json: Json, known: readonly string[]): void {
  const unknown = Object.keys(json).find((name) => !known.includes(name));
  if (unknown !== undefined) throw malformed(`Unknown field ${unknown}`);
}

/** The one of two fields that is there, and whether it is the one that names exceptions. */
function either(json: Json, name: string, exceptName: string): readonly [value: unknown, except: boolean] {
  const isExcept = json[exceptName] !== undefined;
  if (json[name] === undefined && !isExcept) throw malformed(`Missing required field ${name}`);
  if (json[name] !== undefined && isExcept) throw malformed('Invalid policy syntax.');
  return [isExcept ? json[exceptName] : json[name], isExcept];
}

/** Undefined unless it is a string, or strings. */
function stringsOf(value: unknown): readonly string[] | undefined {
  const all: unknown[] = Array.isArray(value) ? value : [value];
  return all.length > 0 && all.every((one) => typeof one === 'string') ? all : undefined;
}

function parseActions(value: unknown): readonly string[] {
  const patterns = stringsOf(value);
  if (patterns === undefined) throw malformed('Policy has invalid action');
  return patterns.map((pattern) => {
    if (pattern !== '*' && actionsOfPattern(pattern).length === 0) {
      throw malformed('Policy has invalid action');
    }
    return pattern.toLowerCase();
  });
}

const resourceArn = /^arn:aws[a-z-]*:s3:::(.+)$/s;

function parseResources(value: unknown, bucket: string): readonly string[] {
  const arns = stringsOf(value);
  if (arns === undefined) throw malformed('Policy has invalid resource');
  return arns.map((arn) => {
    const pattern = arn === '*' ? '*' : resourceArn.exec(arn)?.[1];
    const [bucketPattern = ''] = pattern?.split('/', 1) ?? [];
    if (pattern === undefined || !matchesWildcard(bucketPattern, bucket)) {
      throw malformed('Policy has invalid resource');
    }
    return pattern;
  });
}

/** A pattern without a slash is about the bucket, and about its objects too if it ends in a star. */
function refuseActionsElsewhere(actions: readonly string[], resources: readonly string[]): void {
  const hasObjects = resources.some((resource) => resource.includes('/') || resource.endsWith('*'));
  const hasBucket = resources.some((resource) => !resource.includes('/'));
  for (const pattern of actions) {
    const matched = actionsOfPattern(pattern).map(scopeOfAction);
    if ((hasObjects && matched.includes('object')) || (hasBucket && matched.includes('bucket'))) continue;
    throw malformed('Action does not apply to any resource(s) in statement');
  }
}

function parseConditions(value: unknown, actions: readonly string[] | undefined): readonly Condition[] {
  if (value === undefined) return [];
  const possible = actions && new Set(actions.flatMap(actionsOfPattern));
  const conditions: Condition[] = [];
  for (const [operator, keys] of entriesOf(value)) {
    for (const [written, wanted] of entriesOf(keys)) {
      const condition = parseCondition(operator, written, wanted);
      if (possible && !keyFitsActions(condition.key, possible)) {
        throw malformed('Conditions do not apply to combination of actions and resources in statement');
      }
      conditions.push(condition);
    }
  }
  return conditions;
}

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed('Invalid policy syntax.');
  }
  return Object.entries(value);
}

const faults: Readonly<Record<ConditionFault, (operator: string) => string>> = {
  'unknown-operator': (operator) => `Invalid Condition type : ${operator}`,
  'invalid-address': () => 'Invalid IP address in Conditions',
  'invalid-value': (operator) => `Invalid value in Conditions for operator ${operator}`,
};

function parseCondition(operator: string, written: string, wanted: unknown): Condition {
  const values: unknown[] = Array.isArray(wanted) ? wanted : [wanted];
  const isPlain = (one: unknown) => ['string', 'number', 'boolean'].includes(typeof one);
  if (values.length === 0 || !values.every(isPlain)) throw malformed('Invalid policy syntax.');
  const key = parseConditionKey(written);
  const texts = values.map((value) => (key ? valueForKey(key, String(value)) : String(value)));
  const holds = conditionTest(operator, texts);
  if (typeof holds === 'string') throw malformed(faults[holds](operator));
  if (key === undefined) throw malformed('Policy has an invalid condition key');
  return { key, holds, isFixed: tiesToValues(operator, texts) };
}

function malformed(message: string): S3Error {
  return new S3Error('MalformedPolicy', { message });
}
