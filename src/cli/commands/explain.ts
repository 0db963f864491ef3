import type { RuleWords } from '../../admin/rule-words.ts';
import type { AccessExplanation } from '../../gateway/access-explainer.ts';
import type { ObjectExplanation } from '../../gateway/object-explainer.ts';
import type { Refusal } from '../../gateway/refusals.ts';
import type { Command, Invocation } from '../command.ts';
import { UsageError } from '../errors.ts';
import { type Fact, factLines, objectFacts } from '../explain-lines.ts';
import { Paint } from '../paint.ts';
import { callAdmin, show } from './shared.ts';

const target = 's3://BUCKET/KEY';

/** `forebay explain` */
export const explainCommand: Command = {
  words: ['explain'],
  arguments: [`[${target}]`],
  options: [
    { flag: '--check', meaning: 'Ask the storage what it has now' },
    {
      flag: '--as',
      placeholder: 'ACCESS_KEY_ID',
      meaning: 'Whether its user may do something; or anonymous',
    },
    { flag: '--action', placeholder: 'ACTION', meaning: 'What, with --as (default: s3:GetObject)' },
    { flag: '--from', placeholder: 'ADDRESS', meaning: 'From where, with --as' },
    { flag: '--request', placeholder: 'ID', meaning: 'Which rule refused the request with this id' },
  ],
  summary: 'Show why an object is served as it is, or a request was refused; fails where it is not allowed',
  run: async (invocation) => {
    const { options } = invocation;
    const place = invocation.arguments[target];
    const requestId = options.get('--request');
    if ((place === undefined) === (requestId === undefined)) {
      throw new UsageError(`give ${target}, or --request ID`);
    }
    if (requestId !== undefined) return explainRequest(invocation, requestId);
    if (options.has('--as')) return explainAccess(invocation, parse(place as string));
    for (const flag of ['--action', '--from']) {
      if (options.has(flag)) throw new UsageError(`${flag} goes with --as`);
    }
    return explainObject(invocation, parse(place as string));
  },
};

interface Place {
  readonly bucket: string;
  readonly key: string | undefined;
}

function parse(text: string): Place {
  const [, bucket, key] = /^s3:\/\/([^/]+)(?:\/(.*))?$/s.exec(text) ?? [];
  if (bucket === undefined) throw new UsageError(`${JSON.stringify(text)} is not of the form ${target}`);
  return { bucket, key: key || undefined };
}

async function explainObject(invocation: Invocation, { bucket, key }: Place): Promise<number> {
  if (key === undefined) throw new UsageError(`name a key: ${target}`);
  const check = invocation.options.has('--check') ? 'yes' : undefined;
  const path = `/v1/explain/object${queryOf({ bucket, key, check })}`;
  const found = await callAdmin<ObjectExplanation>(invocation, 'GET', path);
  const paint = new Paint(invocation.hasColour);
  show(invocation, found, factLines(`s3://${bucket}/${key}`, objectFacts(found), paint));
  return found.nodes.some(({ silence }) => silence !== undefined) ? 1 : 0;
}

async function explainAccess(invocation: Invocation, { bucket, key }: Place): Promise<number> {
  const { options } = invocation;
  const as = options.get('--as') ?? '';
  const action = options.get('--action') ?? (key === undefined ? 's3:ListBucket' : 's3:GetObject');
  const accessKeyId = as === 'anonymous' ? undefined : as;
  const path = `/v1/explain/access${queryOf({ bucket, key, action, accessKeyId, from: options.get('--from') })}`;
  const found = await callAdmin<AccessExplanation & RuleWords>(invocation, 'GET', path);
  const user = found.user === undefined ? '' : ` (${found.user}${found.policy ? `, ${found.policy}` : ''})`;
  const facts: Fact[] = [
    ['allowed', found.isAllowed ? ['yes', 'good'] : ['no', 'bad']],
    ['rule', `${found.rule}: ${found.meaning}`],
    ...optional('statement', found.statement),
    ...optional('bucket owner', found.bucketOwner),
    ...optional('storage', found.fault),
    ...optional('what to do', found.isAllowed ? undefined : found.advice),
  ];
  const headline = `${as}${user}: ${action} on s3://${bucket}${key === undefined ? '' : `/${key}`}`;
  show(invocation, found, factLines(headline, facts, new Paint(invocation.hasColour)));
  return found.isAllowed ? 0 : 1;
}

async function explainRequest(invocation: Invocation, id: string): Promise<number> {
  const path = `/v1/explain/request${queryOf({ id })}`;
  const found = await callAdmin<Refusal & RuleWords & { readonly workerId: string }>(invocation, 'GET', path);
  const key = found.accessKeyId === undefined ? 'nobody signed it' : `access key ${found.accessKeyId}`;
  const who = found.user === undefined ? key : `${found.user}, ${key}`;
  const facts: Fact[] = [
    ['answered', [`${found.status} ${found.code}: ${found.message}`, 'bad']],
    ['when', `${found.time}, by the node ${found.workerId}`],
    ['asked', `${found.method} ${found.path} (${found.operation})`],
    ['by', `${who}${found.from === undefined ? '' : `, from ${found.from}`}`],
    ['rule', `${found.rule ?? found.code}: ${found.meaning}`],
    ...optional('action', found.action),
    ...optional('statement', found.statement),
    ...optional('detail', found.detail),
    ...optional('what to do', found.advice),
  ];
  show(invocation, found, factLines(`request ${id}`, facts, new Paint(invocation.hasColour)));
  return 0;
}

function optional(what: string, said: string | undefined): Fact[] {
  return said === undefined ? [] : [[what, said]];
}

function queryOf(values: Readonly<Record<string, string | undefined>>): string {
  const parts = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}=${strictly(value)}`,
  );
  return `?${parts.join('&')}`;
}

/** As a signature wants it: everything but unreserved characters (RFC 3986, 2.3). */
function strictly(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
