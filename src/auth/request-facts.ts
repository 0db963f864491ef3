import type { Tag } from '../common/object-meta.ts';
import type { ConditionKey } from '../s3api/policy/policy.ts';
import type { Identity } from '../s3api/service.ts';
import { rootUserName } from './user-record.ts';

/** What of a request the conditions of a policy can ask for. */
export interface RequestToJudge {
  readonly identity: Identity;
  readonly form: 'header' | 'query' | 'anonymous';
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly query: ReadonlyMap<string, string>;
  readonly remoteAddress: string | undefined;
  readonly isSecure: boolean;
  readonly nowMs: number;
  /** Those of the object that is there; undefined: none are known. */
  readonly objectTags: readonly Tag[] | undefined;
}

const queryKeys: ReadonlyMap<string, string> = new Map([
  ['s3:prefix', 'prefix'],
  ['s3:delimiter', 'delimiter'],
  ['s3:max-keys', 'max-keys'],
  ['s3:versionid', 'versionId'],
]);
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
  if (parameter !== undefined) return one(request.query.get(parameter));
  const header = headerKeys.get(name);
  if (header !== undefined) return one(request.headers[header]);
  if (name.startsWith('s3:x-amz-')) return one(request.headers[name.slice('s3:'.length)]);
  return name.startsWith('s3:') ? s3Values(request, key) : awsValues(request, name);
}

function s3Values(
  { form, headers, objectTags }: RequestToJudge,
  { name, tag }: ConditionKey,
): readonly string[] | undefined {
  switch (name) {
    case 's3:authtype':
      return form === 'anonymous' ? undefined : [form === 'header' ? 'REST-HEADER' : 'REST-QUERY-STRING'];
    case 's3:signatureversion':
      return form === 'anonymous' ? undefined : ['AWS4-HMAC-SHA256'];
    case 's3:existingobjecttag':
      return one(objectTags?.find(({ key }) => key === tag)?.value);
    case 's3:requestobjecttag':
      return one(tagsOf(headers)?.get(tag ?? '') ?? undefined);
    case 's3:requestobjecttagkeys': {
      const tags = tagsOf(headers);
      return tags && tags.size > 0 ? [...tags.keys()] : undefined;
    }
    default:
      return undefined;
  }
}

function awsValues(
  { identity, remoteAddress, isSecure, nowMs }: RequestToJudge,
  name: string,
): readonly string[] | undefined {
  switch (name) {
    case 'aws:sourceip':
      return one(remoteAddress);
    case 'aws:securetransport':
      return [String(isSecure)];
    case 'aws:username':
    case 'aws:userid':
      return identity.policy === 'anonymous' ? undefined : [identity.userName];
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

function tagsOf(headers: RequestToJudge['headers']): URLSearchParams | undefined {
  const tagging = headers['x-amz-tagging'];
  return tagging === undefined ? undefined : new URLSearchParams(tagging);
}

function one(value: string | undefined): readonly string[] | undefined {
  return value === undefined ? undefined : [value];
}
