import type { BucketAccess } from '../common/access-control.ts';
import { type RuleOfRefusal, S3Error } from '../s3api/errors.ts';
import { decidingStatement, evaluatePolicy } from '../s3api/policy/evaluate.ts';
import { parsePolicy } from '../s3api/policy/parse-policy.ts';
import type { BucketPolicy, PolicyQuestion, Verdict } from '../s3api/policy/policy.ts';
import type { Identity } from '../s3api/service.ts';
import { bucketPermissions, isGranted, objectPermissions } from './grants.ts';
import { ObjectGate, type ObjectRule } from './object-gate.ts';

/** Who asks where nobody signed. */
export const anonymous: Identity = { userName: '', policy: 'anonymous', accessKeyId: '' };

/** What is decided about. */
export interface GuardedBucket {
  readonly name: string;
  readonly owner: string;
  readonly access?: BucketAccess;
}

/** The rule that decided, by name. */
export type AccessRule =
  | 'admin-may-everything'
  | 'anonymous-owns-nothing'
  | 'anyone-may-list-own-buckets'
  | 'readonly-may-only-read'
  | 'readwrite-may-create-buckets'
  | 'owner-may'
  | 'policy-denies'
  | 'policy-allows'
  | 'acl-allows'
  | 'initiator-may'
  | 'bucket-of-another'
  | 'policy-is-its-owners'
  | 'no-such-bucket'
  | ObjectRule;

/** `object`: the gate decides once the object is known. */
export type Decision =
  | { readonly effect: 'allow' | 'deny'; readonly rule: AccessRule }
  | { readonly effect: 'object'; readonly gate: ObjectGate };

/** What is asked about; `values` tells what the request has for the keys of a policy's conditions. */
export interface AccessQuestion {
  readonly identity: Identity;
  /** IAM's name, such as `s3:GetObject`. */
  readonly action: string;
  /** Undefined: there is none of that name, or the action is on none. */
  readonly bucket: GuardedBucket | undefined;
  readonly key?: string;
  /** The action is on an unfinished upload that the caller began. */
  readonly isInitiator?: boolean;
  readonly values: PolicyQuestion['values'];
}

const reads = /^s3:(Get|List|Head)/;
/** What only a user can be said to own or make. */
const ofUsers: ReadonlySet<string> = new Set(['s3:ListAllMyBuckets', 's3:CreateBucket']);
/**
 * Whoever could lock themselves out of these could not undo it; and of nobody else may a policy say that he may replace it (S3 API
 * Reference, PutBucketPolicy). By action their method.
 */
const ownPolicyActions: ReadonlyMap<string, string> = new Map([
  ['s3:GetBucketPolicy', 'GET'],
  ['s3:PutBucketPolicy', 'PUT'],
  ['s3:DeleteBucketPolicy', 'DELETE'],
]);
/** What conditions say of a list. */
const ofLists: ReadonlySet<string> = new Set(['s3:delimiter', 's3:max-keys', 's3:versionid']);
/** What needs the right to read the object beside its own (S3 API Reference, GetObjectAttributes). */
const readsToo: ReadonlyMap<string, string> = new Map([
  ['s3:GetObjectAttributes', 's3:GetObject'],
  ['s3:GetObjectVersionAttributes', 's3:GetObjectVersion'],
]);

/**
 * Decides who may do what: a policy's denial first, then the rights of admins and owners, then what policy and ACLs allow. Policies are
 * taken apart once, when they are first asked.
 */
export class AccessControl {
  readonly #policies = new WeakMap<BucketAccess, BucketPolicy>();

  /**
   * Returns where the question is allowed: undefined, or the gate that each object is still to be shown to. Throws AccessDenied, or
   * NoSuchBucket where there is no bucket to be allowed anything on.
   */
  authorise(question: AccessQuestion, bucketName: string | undefined): ObjectGate | undefined {
    const decision = this.decide(question);
    if (decision.effect === 'allow') return undefined;
    if (decision.effect === 'object') return decision.gate;
    if (decision.rule === 'no-such-bucket' && bucketName !== undefined) {
      throw new S3Error('NoSuchBucket', { extra: { BucketName: bucketName } });
    }
    if (decision.rule === 'policy-is-its-owners') {
      const Method = ownPolicyActions.get(question.action) ?? '';
      throw new S3Error('MethodNotAllowed', { extra: { Method, ResourceType: 'BUCKETPOLICY' } });
    }
    throw new S3Error('AccessDenied', { refusal: this.#refusalOf(question, decision.rule) });
  }

  /** Whether what is allowed on an object may depend on the tags that it has. */
  asksForTags(bucket: GuardedBucket): boolean {
    return this.#policyOf(bucket)?.asksForTags ?? false;
  }

  /** Whether what is allowed may depend on the tags that a request gives an object. */
  asksForNewTags(bucket: GuardedBucket): boolean {
    return this.#policyOf(bucket)?.asksForNewTags ?? false;
  }

  /** AccessDenied where the bucket's policy denies it. Whether anything allows it is not asked. */
  refuseDenied(question: AccessQuestion): void {
    const { bucket } = question;
    if (bucket && this.#ask(question, bucket) === 'deny') {
      throw new S3Error('AccessDenied', { refusal: this.#refusalOf(question, 'policy-denies') });
    }
  }

  /** The statement of the bucket's policy that decides, as an operator finds it there; undefined where none is about it. */
  statementOn(question: AccessQuestion): string | undefined {
    const { bucket, action } = question;
    const policy = bucket && this.#policyOf(bucket);
    if (!policy) return undefined;
    const actions = [readsToo.get(action), action].filter((one) => one !== undefined);
    const deciding = actions
      .map((one) => decidingStatement(policy, this.#asPolicyQuestion({ ...question, action: one }, bucket)))
      .filter((one) => one !== undefined);
    const decides = deciding.find((one) => one === 'effort-spent' || one.effect === 'Deny') ?? deciding[0];
    if (decides === undefined) return undefined;
    if (decides === 'effort-spent') return 'none: its patterns take too long to compare, so it denies';
    return `${decides.sid === undefined ? '' : `${JSON.stringify(decides.sid)}, `}number ${decides.position}`;
  }

  #refusalOf(question: AccessQuestion, rule: AccessRule): RuleOfRefusal {
    const statement = rule === 'policy-denies' ? this.statementOn(question) : undefined;
    return { rule, action: question.action, statement };
  }

  /**
   * Decides on what is known before the object is. A denial by `no-such-bucket` is to be answered NoSuchBucket, every other AccessDenied:
   * nothing that is created between this decision and the operation is ever open to a caller who was not asked about it.
   */
  decide(question: AccessQuestion): Decision {
    const { identity, action, bucket } = question;
    if (identity.policy === 'anonymous' && ofUsers.has(action)) return deny('anonymous-owns-nothing');
    const isAdmin = identity.policy === 'admin';
    if (isAdmin && bucket?.access === undefined) return allow('admin-may-everything');
    if (action === 's3:ListAllMyBuckets') return allow('anyone-may-list-own-buckets');
    if (identity.policy === 'readonly' && !reads.test(action)) return deny('readonly-may-only-read');
    // Whether the name is taken is for the operation to say.
    if (action === 's3:CreateBucket') return allow('readwrite-may-create-buckets');
    if (!bucket) return deny('no-such-bucket');
    const isOwner = isOwnerOf(bucket, identity);
    if (isOwner && bucket.access === undefined) return allow('owner-may');
    return this.#decideOnBucket(question, bucket, isAdmin, isOwner);
  }

  #decideOnBucket(
    question: AccessQuestion,
    bucket: GuardedBucket,
    isAdmin: boolean,
    isOwner: boolean,
  ): Decision {
    const { identity, action, key } = question;
    const verdict = this.#ask(question, bucket);
    const isOwnPolicy = (isAdmin || isOwner) && ownPolicyActions.has(action);
    if (verdict === 'deny' && !isOwnPolicy) return deny('policy-denies');
    if (isAdmin) return allow('admin-may-everything');
    const permission = key === undefined ? undefined : objectPermissions.get(action);
    if (permission !== undefined) {
      const mayList = () => this.#mayList(question);
      const isAllowed = verdict === 'allow';
      return { effect: 'object', gate: new ObjectGate(identity, bucket, action, isAllowed, mayList) };
    }
    if (isOwner) return allow('owner-may');
    if (verdict === 'allow') {
      return ownPolicyActions.has(action) ? deny('policy-is-its-owners') : allow('policy-allows');
    }
    if (question.isInitiator) return allow('initiator-may');
    const wanted = bucketPermissions.get(action);
    const { access } = bucket;
    const isOpen =
      wanted !== undefined &&
      access?.ownership !== 'BucketOwnerEnforced' &&
      isGranted(access?.grants, identity, wanted);
    return isOpen ? allow('acl-allows') : deny('bucket-of-another');
  }

  #mayList(question: AccessQuestion): boolean {
    // A list that would show whether there is such a key; what the request says of lists is not about one.
    const values: AccessQuestion['values'] = (asked) => {
      if (asked.name === 's3:prefix') return question.key === undefined ? undefined : [question.key];
      return ofLists.has(asked.name) ? undefined : question.values(asked);
    };
    const about = { ...question, action: 's3:ListBucket', key: undefined, values };
    return this.decide(about).effect === 'allow';
  }

  #ask(question: AccessQuestion, bucket: GuardedBucket): Verdict {
    const verdict = this.#askOnce(question, bucket);
    const besides = readsToo.get(question.action);
    if (besides === undefined || verdict === 'deny') return verdict;
    const reading = this.#askOnce({ ...question, action: besides }, bucket);
    return reading === 'allow' ? verdict : reading;
  }

  #askOnce(question: AccessQuestion, bucket: GuardedBucket): Verdict {
    const policy = this.#policyOf(bucket);
    if (policy === undefined) return 'neither';
    return evaluatePolicy(policy, this.#asPolicyQuestion(question, bucket));
  }

  #asPolicyQuestion(
    { identity, action, key, values }: AccessQuestion,
    bucket: GuardedBucket,
  ): PolicyQuestion {
    const user = identity.policy === 'anonymous' ? undefined : identity.userName;
    const resource = key === undefined ? bucket.name : `${bucket.name}/${key}`;
    return { user, action, resource, values };
  }

  #policyOf({ name, access }: GuardedBucket): BucketPolicy | undefined {
    if (access?.policy === undefined) return undefined;
    let policy = this.#policies.get(access);
    if (policy === undefined) {
      policy = readPolicy(name, access.policy);
      this.#policies.set(access, policy);
    }
    return policy;
  }
}

/** Whether nothing has to be asked: the common case, decided without a look at anything but the bucket's own record. */
export function mayOutright({ policy, userName }: Identity, bucket: GuardedBucket | undefined): boolean {
  if (bucket === undefined || bucket.access !== undefined) return false;
  return policy === 'admin' || (policy === 'readwrite' && bucket.owner === userName);
}

/** Of one that cannot be read here, though it could where it was put, nothing is known but that it may deny. */
function readPolicy(bucket: string, text: string): BucketPolicy {
  try {
    // Who is named in it was looked at when it was put.
    return parsePolicy(text, { bucket, isUser: () => true });
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    return parsePolicy(denyingAll, { bucket, isUser: () => true });
  }
}

const denyingAll = JSON.stringify({
  Statement: { Effect: 'Deny', Principal: '*', Action: '*', Resource: '*' },
});

export function isOwnerOf({ owner }: GuardedBucket, { policy, userName }: Identity): boolean {
  return policy !== 'anonymous' && owner === userName;
}

function allow(rule: AccessRule): Decision {
  return { effect: 'allow', rule };
}

function deny(rule: AccessRule): Decision {
  return { effect: 'deny', rule };
}
