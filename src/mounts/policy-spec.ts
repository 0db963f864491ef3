import { formatDurationMs, formatSizeBytes, parseDurationMs, parseSizeBytes } from '../common/units.ts';
import { MountError } from './mount-error.ts';
import { formatFreshness, parseFreshness, parseMountTarget } from './mount-spec.ts';
import type { PolicyFieldName, PolicyFields, PolicyRow } from './policy.ts';
import { PolicyError } from './policy-error.ts';

/** A policy as an operator asks for it, all in text. `none` takes a field away. */
export interface PolicyRequest {
  readonly target: string;
  readonly ttl?: string;
  readonly pin?: string;
  readonly priority?: string;
  readonly cache?: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly minSize?: string;
  readonly maxSize?: string;
  readonly quota?: string;
  readonly freshness?: string;
}

/** A policy that makes sense: what to set, and what to take away. */
export interface PolicyChange {
  readonly row: PolicyRow;
  readonly unset: readonly PolicyFieldName[];
}

const leastTtlMs = 1000;
const mostTtlMs = 10 * 365 * 86_400_000;
const mostPatterns = 32;
const mostPatternCharacters = 256;
const none = 'none';

/** `s3://BUCKET[/PREFIX]`, the scheme left out perhaps. Kinds: invalid. */
export function parsePolicyTarget(text: string): { readonly bucket: string; readonly prefix: string } {
  try {
    return parseMountTarget(text.replace(/^s3:\/\//, ''));
  } catch (error) {
    if (error instanceof MountError) throw invalid(error.message);
    throw error;
  }
}

/** Kinds: invalid; the message says what to write instead. */
export function parsePolicyRequest(request: PolicyRequest): PolicyChange {
  const { target, ...asked } = request;
  const fields: Record<string, unknown> = {};
  const unset: PolicyFieldName[] = [];
  for (const [option, value] of Object.entries(asked)) {
    if (value === undefined) continue;
    const rule = rules[option as keyof typeof rules];
    if (value === none || (Array.isArray(value) && value.includes(none))) unset.push(rule.field);
    else fields[rule.field] = rule.parse(value as never);
  }
  if (Object.keys(fields).length + unset.length === 0) {
    throw invalid(
      'nothing is set: name at least one of --ttl, --pin, --priority, --cache, --include, --exclude, --min-size, --max-size, --quota, --freshness',
    );
  }
  const row = { ...parsePolicyTarget(target), ...fields } as PolicyRow;
  checkSizes(row);
  return { row, unset };
}

/** A lower bound above the upper one keeps nothing. Kinds: invalid. */
export function checkSizes({
  minSizeBytes = 0,
  maxSizeBytes = Number.POSITIVE_INFINITY,
}: PolicyFields): void {
  if (minSizeBytes > maxSizeBytes) {
    throw invalid(
      '--min-size is above --max-size, so that nothing would be kept: write --cache never if that is meant',
    );
  }
}

/** A field as it is written. */
export function formatPolicyField(name: PolicyFieldName, fields: PolicyFields): string | undefined {
  const { [name]: value } = fields;
  if (value === undefined) return undefined;
  switch (name) {
    case 'ttlMs':
      return value === 0 ? 'forever' : formatDurationMs(value as number);
    case 'pin':
      return value ? 'yes' : 'no';
    case 'minSizeBytes':
    case 'maxSizeBytes':
    case 'quotaBytes':
      return formatSizeBytes(value as number);
    case 'freshness':
      return formatFreshness(value as NonNullable<PolicyFields['freshness']>);
    case 'include':
    case 'exclude':
      return (value as readonly string[]).join(',') || 'nothing';
    default:
      return String(value);
  }
}

/** What a field is called where it is asked for and shown. */
export const fieldLabels: Readonly<Record<PolicyFieldName, keyof Omit<PolicyRequest, 'target'>>> = {
  ttlMs: 'ttl',
  pin: 'pin',
  priority: 'priority',
  cache: 'cache',
  include: 'include',
  exclude: 'exclude',
  minSizeBytes: 'minSize',
  maxSizeBytes: 'maxSize',
  quotaBytes: 'quota',
  freshness: 'freshness',
};

const rules = {
  ttl: { field: 'ttlMs', parse: parseTtl },
  pin: { field: 'pin', parse: (text: string) => oneOf('--pin', text, ['yes', 'no']) === 'yes' },
  priority: {
    field: 'priority',
    parse: (text: string) => oneOf('--priority', text, ['low', 'normal', 'high']),
  },
  cache: {
    field: 'cache',
    parse: (text: string) => oneOf('--cache', text, ['always', 'second-read', 'never']),
  },
  include: { field: 'include', parse: (globs: readonly string[]) => parseGlobs('--include', globs) },
  exclude: { field: 'exclude', parse: (globs: readonly string[]) => parseGlobs('--exclude', globs) },
  minSize: { field: 'minSizeBytes', parse: (text: string) => parseSize('--min-size', text, 0) },
  maxSize: { field: 'maxSizeBytes', parse: (text: string) => parseSize('--max-size', text, 0) },
  quota: { field: 'quotaBytes', parse: (text: string) => parseSize('--quota', text, 1) },
  freshness: { field: 'freshness', parse: parseFresh },
} as const satisfies Record<
  keyof Omit<PolicyRequest, 'target'>,
  { readonly field: PolicyFieldName; readonly parse: (value: never) => unknown }
>;

function invalid(message: string): PolicyError {
  return new PolicyError('invalid', message);
}

function oneOf(option: string, text: string, choices: readonly string[]): string {
  if (choices.includes(text)) return text;
  throw invalid(`${option} must be one of ${choices.join(', ')}, or none, not ${JSON.stringify(text)}`);
}

function parseTtl(text: string): number {
  if (text === 'forever') return 0;
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms >= leastTtlMs && ms <= mostTtlMs) return ms;
  throw invalid(
    `--ttl must be a duration from 1s to 3650d, as in 12h, or forever, or none, not ${JSON.stringify(text)}`,
  );
}

function parseSize(option: string, text: string, least: number): number {
  const bytes = parseSizeBytes(text);
  if (bytes !== undefined && bytes >= least) return bytes;
  throw invalid(`${option} must be a size, as in 100GiB, or none, not ${JSON.stringify(text)}`);
}

function parseGlobs(option: string, globs: readonly string[]): readonly string[] {
  if (globs.length > mostPatterns) throw invalid(`${option} takes at most ${mostPatterns} patterns`);
  for (const glob of globs) {
    if (glob !== '' && glob.length <= mostPatternCharacters && glob.isWellFormed()) continue;
    throw invalid(`${option}: a pattern has 1 to ${mostPatternCharacters} characters, as in *.parquet`);
  }
  return globs;
}

function parseFresh(text: string): PolicyFields['freshness'] {
  try {
    return parseFreshness(text);
  } catch (error) {
    if (error instanceof MountError) throw invalid(`--freshness: ${error.message}`);
    throw error;
  }
}
