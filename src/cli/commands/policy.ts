import { PolicyError } from '../../mounts/policy-error.ts';
import type { PolicyExplanation } from '../../mounts/policy-explanation.ts';
import { type PolicyRequest, parsePolicyRequest, parsePolicyTarget } from '../../mounts/policy-spec.ts';
import type { Command, Invocation, Option } from '../command.ts';
import { UsageError } from '../errors.ts';
import { keptWords, optionName } from '../policy-words.ts';
import { roundBytes } from '../quantities.ts';
import { columns } from '../text.ts';
import { type Reach, reachInWords } from './reach.ts';
import { callAdmin, show } from './shared.ts';

interface Policy {
  readonly target: string;
  readonly held?: number;
  readonly limit?: number;
  readonly [field: string]: unknown;
}
interface Silent {
  readonly workerId: string;
  readonly silence: string;
}
interface Explanation extends PolicyExplanation {
  readonly target: string;
  readonly mount: string;
}

const target = 's3://BUCKET[/PREFIX]';
const object = 's3://BUCKET/KEY';

const options: readonly Option[] = [
  {
    flag: '--ttl',
    placeholder: 'DURATION',
    meaning: 'How old a cached page may grow, as in 12h; or forever',
  },
  {
    flag: '--pin',
    placeholder: 'yes|no|none',
    meaning: 'Whether its pages stay, whatever else needs the room',
  },
  {
    flag: '--priority',
    placeholder: 'low|normal|high|none',
    meaning: 'Which pages go first where room is needed',
  },
  {
    flag: '--cache',
    placeholder: 'RULE',
    meaning: 'What is read is kept: always, from a second-read on, or never',
  },
  { flag: '--include', placeholder: 'GLOB,…', meaning: 'Only keys that one of these matches are kept' },
  { flag: '--exclude', placeholder: 'GLOB,…', meaning: 'Keys that one of these matches are not kept' },
  { flag: '--min-size', placeholder: 'SIZE', meaning: 'Smaller objects are not kept' },
  { flag: '--max-size', placeholder: 'SIZE', meaning: 'Larger objects are not kept' },
  { flag: '--quota', placeholder: 'SIZE', meaning: 'Bytes that all nodes together keep of it at most' },
  {
    flag: '--freshness',
    placeholder: 'RULE',
    meaning: 'How old metadata may be: always, lease:30s or immutable',
  },
];

/** `forebay policy …` */
export const policyCommands: readonly Command[] = [
  {
    words: ['policy', 'set'],
    arguments: [target],
    options,
    summary: 'Set what holds for the cache of a bucket or prefix, on every node; none takes a field away',
    run: async (invocation) => {
      const request = requestOf(invocation);
      asUsage(() => parsePolicyRequest(request));
      const answer = await callAdmin<Reach & { policy: Policy }>(invocation, 'POST', '/v1/policies', request);
      show(invocation, answer, [
        `s3://${answer.policy.target}: ${fieldsOf(answer.policy)}`,
        reachInWords(answer),
      ]);
      return 0;
    },
  },
  {
    words: ['policy', 'list'],
    arguments: [],
    options: [],
    summary: 'List policies, with what is held under each quota; exit code 1 if a node does not answer',
    run: async (invocation) => {
      const answer = await callAdmin<{ policies: Policy[]; silent: Silent[] }>(
        invocation,
        'GET',
        '/v1/policies',
      );
      const rows = answer.policies.map((policy) => [
        `s3://${policy.target}`,
        fieldsOf(policy),
        policy.held === undefined ? '' : roundBytes(policy.held),
      ]);
      show(invocation, answer, [
        ...columns([['PREFIX', 'POLICY', 'HELD'], ...rows]),
        ...answer.silent.map(
          ({ workerId, silence }) => `the node ${workerId} did not answer (${silence}): HELD is without it`,
        ),
      ]);
      return answer.silent.length > 0 ? 1 : 0;
    },
  },
  {
    words: ['policy', 'remove'],
    arguments: [target],
    options: [],
    summary: 'Remove what was set for a bucket or prefix',
    run: async (invocation) => {
      const name = targetOf(invocation);
      const answer = await callAdmin<Reach>(invocation, 'DELETE', `/v1/policies/${encodeURIComponent(name)}`);
      show(invocation, { removed: name, ...answer }, [
        `removed the policy for s3://${name}`,
        reachInWords(answer),
      ]);
      return 0;
    },
  },
  {
    words: ['policy', 'explain'],
    arguments: [object],
    options: [],
    summary: 'Show what holds for an object, and where each part of it was set',
    run: async (invocation) => {
      const text = (invocation.arguments[object] ?? '').replace(/^s3:\/\//, '');
      if (!/^[^/]+\/./.test(text)) throw new UsageError('name an object, as in s3://BUCKET/KEY');
      const path = `/v1/policies/${encodeURIComponent(text)}/explain`;
      const answer = await callAdmin<Explanation>(invocation, 'GET', path);
      show(invocation, answer, [
        `s3://${answer.target} (mount ${answer.mount}): ${keptWords[answer.kept]}`,
        ...columns([
          ['FIELD', 'VALUE', 'FROM'],
          ...answer.fields.map(({ name, value, from }) => [optionName(name), value, from]),
        ]),
      ]);
      return 0;
    },
  },
];

function requestOf(invocation: Invocation): PolicyRequest {
  const { options: given } = invocation;
  const asked: PolicyRequest = {
    target: invocation.arguments[target] ?? '',
    ttl: given.get('--ttl'),
    pin: given.get('--pin'),
    priority: given.get('--priority'),
    cache: given.get('--cache'),
    include: given.get('--include')?.split(','),
    exclude: given.get('--exclude')?.split(','),
    minSize: given.get('--min-size'),
    maxSize: given.get('--max-size'),
    quota: given.get('--quota'),
    freshness: given.get('--freshness'),
  };
  return asked;
}

/** `BUCKET` or `BUCKET/PREFIX`. */
export function targetOf(invocation: Invocation, name = target): string {
  const text = invocation.arguments[name] ?? '';
  const { bucket, prefix } = asUsage(() => parsePolicyTarget(text));
  return `${bucket}/${prefix}`;
}

/** What makes no sense is a fault of the command line. */
function asUsage<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof PolicyError && error.kind === 'invalid') throw new UsageError(error.message);
    throw error;
  }
}

function fieldsOf({ target: _, held: __, limit: ___, ...fields }: Policy): string {
  return Object.entries(fields)
    .map(([name, value]) => `${optionName(name)}=${value}`)
    .join(' ');
}
