import { parseAmzDate } from '../common/amz-date.ts';
import type { Tag } from '../common/object-meta.ts';
import { decodePercent } from '../s3api/percent.ts';
import { principalArn } from '../s3api/policy/condition-keys.ts';
import type { ConditionKey } from '../s3api/policy/policy.ts';
import type { Identity } from '../s3api/service.ts';
import { parseTagHeader } from '../s3api/tagging.ts';
import { rootUserName } from './user-record.ts';

/** What of a request the conditions of a policy can ask for. */
export interface RequestToJudge {
  readonly identity: Identity;
  readonly form: 'header' | 'query' | 'anonymous';
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly query: ReadonlyMap<string, string>;
  readonly remoteAddress: string | undefined;
  /** Such as `1.3`; undefined without TLS. */
  readonly tlsVersion: string | undefined;
  readonly isSecure: boolean;
  readonly nowMs: number;
  readonly region: string;
  /** S3's name of what is asked for, such as `PutObject`. */
  readonly operation: string | undefined;
  /** What is judged: one request may need several actions. */
  readonly action: string;
  readonly bucketOwner: string | undefined;
  /** Of the object that is judged, which may be another than the request's own. */
  readonly versionId: string | undefined;
  /** `x-amz-date`; undefined where nobody signed. */
  readonly signedAt: string | undefined;
  /** Those that the request's body gives an object; undefined: they are told in a header, if anywhere. */
  readonly newTags: readonly Tag[] | undefined;
  /** Those of the object that is there; undefined: none are known. */
  readonly objectTags: readonly Tag[] | undefined;
}

const queryKeys: ReadonlyMap<string, string> = new Map([
  ['s3:prefix', 'prefix'],
  ['s3:delimiter', 'delimiter'],
  ['s3:max-keys', 'max-keys'],
]);
/** What makes an object, and what only gets one ready, by the same right. */
const creations: ReadonlySet<string> = new Set(['PutObject', 'CopyObject', 'CompleteMultipartUpload']);
const headerKeys: ReadonlyMap<string, string> = new Map([
  ['aws:referer', 'referer'],
  ['aws:useragent', 'user-agent'],
  ['s3:if-match', 'if-match'],
  ['s3:if-none-match', 'if-none-match'],
]);

/**
 * The values that a request has for a condition key; undefined: none. Sources: IAM User Guide, "AWS global condition context keys";
 * Service Authorization Reference, "Condition keys for Amazon S3".
 */
export function valuesOf(request: RequestToJudge, key: ConditionKey): readonly string[] | undefined {
  const { name } = key;
  const parameter = queryKeys.get(name);
  if (parameter !== undefined) return one(parameterOf(request, parameter));
  const header = headerKeys.get(name);
  if (header !== undefined) return one(request.headers[header]);
  if (name === 's3:x-amz-copy-source') return one(plainSource(request.headers['x-amz-copy-source']));
  if (name.startsWith('s3:x-amz-')) return one(request.headers[name.slice('s3:'.length)]);
  return name.startsWith('s3:') ? s3Values(request, key) : awsValues(request, name);
}

/** An empty `max-keys` asks for as many as there are, as none does. */
function parameterOf({ query }: RequestToJudge, name: string): string | undefined {
  const value = query.get(name);
  return name === 'max-keys' && value === '' ? undefined : value;
}

function s3Values(request: RequestToJudge, { name, tag }: ConditionKey): readonly string[] | undefined {
  const { form, action, objectTags } = request;
  switch (name) {
    case 's3:versionid':
      return one(request.versionId);
    case 's3:tlsversion':
      return one(request.tlsVersion);
    case 's3:resourceaccount':
      return one(request.bucketOwner);
    case 's3:signatureage':
      return one(signatureAge(request));
    case 's3:objectcreationoperation':
      return action === 's3:PutObject' ? [String(creations.has(request.operation ?? ''))] : undefined;
    case 's3:authtype':
      return form === 'anonymous' ? undefined : [form === 'header' ? 'REST-HEADER' : 'REST-QUERY-STRING'];
    case 's3:signatureversion':
      return form === 'anonymous' ? undefined : ['AWS4-HMAC-SHA256'];
    case 's3:existingobjecttag':
      return one(objectTags?.find(({ key }) => key === tag)?.value);
    case 's3:requestobjecttag':
      return one(newTagsOf(request)?.find(({ key }) => key === tag)?.value);
    case 's3:requestobjecttagkeys': {
      const tags = newTagsOf(request);
      return tags && tags.length > 0 ? tags.map(({ key }) => key) : undefined;
    }
    default:
      return undefined;
  }
}

function awsValues(
  { identity, remoteAddress, isSecure, nowMs, region, bucketOwner }: RequestToJudge,
  name: string,
): readonly string[] | undefined {
  switch (name) {
    case 'aws:sourceip':
      return one(remoteAddress);
    case 'aws:securetransport':
      return [String(isSecure)];
    case 'aws:username':
    case 'aws:userid':
    case 'aws:principalaccount':
      return identity.policy === 'anonymous' ? undefined : [identity.userName];
    case 'aws:principalarn':
      return identity.policy === 'anonymous' ? undefined : [principalArn(identity.userName)];
    case 'aws:resourceaccount':
      return one(bucketOwner);
    case 'aws:requestedregion':
      return [region];
    // No service of AWS asks here, and none for somebody else.
    case 'aws:principalisawsservice':
    case 'aws:viaawsservice':
      return ['false'];
    case 'aws:principaltype':
      return [principalType(identity)];
    case 'aws:currenttime':
      return [new Date(nowMs).toISOString()];
    case 'aws:epochtime':
      return [String(Math.floor(nowMs / 1000))];
    default:
      return undefined;
  }
}

function principalType({ policy, userName }: Identity): string {
  if (policy === 'anonymous') return 'Anonymous';
  return userName === rootUserName ? 'Account' : 'User';
}

/** The tags that the request gives an object, as its operation reads them: where that reads none, a header gives none. */
function newTagsOf({ newTags, operation, headers }: RequestToJudge): readonly Tag[] | undefined {
  if (newTags !== undefined) return newTags;
  const replaces = operation === 'CopyObject' && headers['x-amz-tagging-directive'] === 'REPLACE';
  const isRead = replaces || operation === 'PutObject' || operation === 'CreateMultipartUpload';
  return isRead ? parseTagHeader(headers) : undefined;
}

/** Bucket and key, however they are written; as it stands where it is none, which the operation refuses. */
function plainSource(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const path = value.replace(/\?versionId=[^&?]*$/, '');
  try {
    return decodePercent(path).replace(/^\//, '');
  } catch {
    return value;
  }
}

/** Milliseconds. */
function signatureAge({ signedAt, nowMs }: RequestToJudge): string | undefined {
  const timeMs = signedAt === undefined ? undefined : parseAmzDate(signedAt);
  return timeMs === undefined ? undefined : String(Math.max(0, Math.round(nowMs - timeMs)));
}

function one(value: string | undefined): readonly string[] | undefined {
  return value === undefined ? undefined : [value];
}
