import type { ObjectMeta } from '../common/object-meta.ts';
import { notImplemented, S3Error } from './errors.ts';
import type { WriteCondition } from './service.ts';

type Headers = Readonly<Record<string, string | undefined>>;
type Version = Pick<ObjectMeta, 'etag' | 'lastModifiedMs'>;

interface EntityTag {
  readonly weak: boolean;
  readonly value: string;
}

/**
 * The tags of an If-Match or If-None-Match list, or `*`. S3 takes a tag without quotes too, because its own XML and its
 * clients hand them about that way.
 */
export function parseEntityTags(header: string): '*' | readonly EntityTag[] {
  if (header.trim() === '*') return '*';
  const tags: EntityTag[] = [];
  for (const [, weak, quoted, bare] of header.matchAll(/(W\/)?(?:"([^"]*)"|([^\s,"]+))/g)) {
    tags.push({ weak: weak !== undefined, value: quoted ?? bare ?? '' });
  }
  return tags;
}

/** Strong comparison, as If-Match asks for it (RFC 9110, 8.8.3.2): a weak tag never matches. */
function matchesStrongly(header: string, etag: string): boolean {
  const tags = parseEntityTags(header);
  return tags === '*' || tags.some((tag) => !tag.weak && tag.value === etag);
}

function matchesWeakly(header: string, etag: string): boolean {
  const tags = parseEntityTags(header);
  return tags === '*' || tags.some((tag) => tag.value === etag);
}

/** Whole seconds since the epoch; undefined for what is no date, which is then ignored (RFC 9110, 13.1.3). */
function parseSeconds(header: string | undefined): number | undefined {
  const ms = header === undefined ? Number.NaN : Date.parse(header);
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000);
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}

type Verdict = 'holds' | { readonly failed: string; readonly notModified: boolean };

/** The headers of conditions, and what errors call them. */
interface ConditionNames {
  readonly match: string;
  readonly unmodifiedSince: string;
  readonly noneMatch: string;
  readonly modifiedSince: string;
  readonly shownPrefix: string;
}

const ofRead = conditionNames('');
const ofCopySource = conditionNames('x-amz-copy-source-');

function conditionNames(prefix: string): ConditionNames {
  return {
    match: `${prefix}if-match`,
    unmodifiedSince: `${prefix}if-unmodified-since`,
    noneMatch: `${prefix}if-none-match`,
    modifiedSince: `${prefix}if-modified-since`,
    shownPrefix: prefix,
  };
}

/**
 * The order of RFC 9110, 13.2.2, which is S3's: If-Match before If-Unmodified-Since, which counts only without it; then
 * If-None-Match before If-Modified-Since, likewise.
 */
function judge(headers: Headers, version: Version, names: ConditionNames): Verdict {
  const ifMatch = headers[names.match];
  const unmodifiedSince = parseSeconds(headers[names.unmodifiedSince]);
  const { shownPrefix } = names;
  if (ifMatch !== undefined) {
    if (!matchesStrongly(ifMatch, version.etag))
      return { failed: `${shownPrefix}If-Match`, notModified: false };
  } else if (unmodifiedSince !== undefined && seconds(version.lastModifiedMs) > unmodifiedSince) {
    return { failed: `${shownPrefix}If-Unmodified-Since`, notModified: false };
  }
  const ifNoneMatch = headers[names.noneMatch];
  const modifiedSince = parseSeconds(headers[names.modifiedSince]);
  if (ifNoneMatch !== undefined) {
    if (matchesWeakly(ifNoneMatch, version.etag))
      return { failed: `${shownPrefix}If-None-Match`, notModified: true };
  } else if (modifiedSince !== undefined && seconds(version.lastModifiedMs) <= modifiedSince) {
    return { failed: `${shownPrefix}If-Modified-Since`, notModified: true };
  }
  return 'holds';
}

function preconditionFailed(condition: string): S3Error {
  return new S3Error('PreconditionFailed', { extra: { Condition: condition } });
}

/** Conditions of GET and HEAD. PreconditionFailed, or NotModified carrying `notModifiedHeaders`. */
export function checkReadConditions(
  headers: Headers,
  version: Version,
  notModifiedHeaders: () => Readonly<Record<string, string | number>>,
): void {
  const verdict = judge(headers, version, ofRead);
  if (verdict === 'holds') return;
  if (verdict.notModified) throw new S3Error('NotModified', { headers: notModifiedHeaders() });
  throw preconditionFailed(verdict.failed);
}

/** Conditions on a copy's source: every failure is PreconditionFailed (S3 API Reference, CopyObject). */
export function checkCopySourceConditions(headers: Headers, version: Version): void {
  const verdict = judge(headers, version, ofCopySource);
  if (verdict !== 'holds') throw preconditionFailed(verdict.failed);
}

/**
 * Whether a Range header counts: without If-Range, or if that names this very version, by a strong tag or by exactly its
 * Last-Modified date (RFC 9110, 13.1.5).
 */
export function rangeApplies(headers: Headers, version: Version): boolean {
  const ifRange = headers['if-range']?.trim();
  if (ifRange === undefined) return true;
  const isDate = !ifRange.includes('"') && /^[A-Za-z]{3,9},? /.test(ifRange);
  if (isDate) return parseSeconds(ifRange) === seconds(version.lastModifiedMs);
  return ifRange !== '*' && matchesStrongly(ifRange, version.etag);
}

const readConditions = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range'];

/** Whether the version decides about the answer. */
export function hasReadConditions(headers: Headers): boolean {
  return readConditions.some((name) => headers[name] !== undefined);
}

/**
 * The condition of a write. S3 knows `If-None-Match: *` and `If-Match` with one tag; what else a client may ask for is
 * refused, for a condition that is not looked at would be taken to hold (S3 User Guide, "Conditional writes"). `If-Match: *`, which S3
 * documents of deletions alone, asks here of every write that there be an object (RFC 9110, 13.1.1).
 * NotImplemented, InvalidArgument.
 */
export function parseWriteCondition(headers: Headers): WriteCondition | undefined {
  for (const name of ['if-modified-since', 'if-unmodified-since'] as const) {
    if (headers[name] !== undefined) throw notImplemented(name);
  }
  const ifMatch = headers['if-match'];
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined) {
    if (ifMatch !== undefined) {
      throw notAccepted(
        'If-Match,If-None-Match',
        'Multiple conditional request headers present in the request',
      );
    }
    if (ifNoneMatch.trim() !== '*') throw valueNotAccepted('If-None-Match');
    return { ifNoneMatch: '*' };
  }
  if (ifMatch === undefined) return undefined;
  return { ifMatch: parseSingleTag(ifMatch) };
}

/** Runs a conditional write of a key. If the condition does not hold, the error names it, or the key, as S3's does. */
export async function naming<Result>(
  condition: WriteCondition | undefined,
  key: string,
  write: () => Promise<Result>,
): Promise<Result> {
  try {
    return await write();
  } catch (error) {
    if (condition === undefined || !(error instanceof S3Error) || error.extra.Condition) throw error;
    const name = 'ifMatch' in condition ? 'If-Match' : 'If-None-Match';
    switch (error.code) {
      case 'PreconditionFailed':
        throw error.withExtra({ Condition: name });
      case 'ConditionalRequestConflict':
        throw error.withExtra({ Condition: name, Key: key });
      case 'NoSuchKey':
        throw error.withExtra({ Key: key, ...error.extra });
      default:
        throw error;
    }
  }
}

function valueNotAccepted(header: string): S3Error {
  return notAccepted(header, `We don't accept the provided value of ${header} header for this API`);
}

function notAccepted(header: string, additionalMessage: string): S3Error {
  return new S3Error('NotImplemented', { extra: { Header: header, additionalMessage } });
}

function parseSingleTag(header: string): string {
  const tags = parseEntityTags(header);
  if (tags === '*') return '*';
  const [tag, ...more] = tags;
  if (tag === undefined || tag.weak || more.length > 0) throw valueNotAccepted('If-Match');
  return tag.value;
}
