import { AccessControl, anonymous } from '../auth/access.ts';
import type { CredentialSource } from '../auth/authenticate.ts';
import { valuesOf } from '../auth/request-facts.ts';
import type { Clock } from '../common/clock.ts';
import { S3Error } from '../s3api/errors.ts';
import { actionNamed, scopeOfAction } from '../s3api/policy/actions.ts';
import type { Identity } from '../s3api/service.ts';
import { UfsError } from '../ufs/errors.ts';
import type { BucketLookup, Namespace } from './namespace.ts';

export interface AccessToExplain {
  /** Undefined: nobody signs. */
  readonly accessKeyId: string | undefined;
  /** IAM's name, such as `s3:GetObject`. */
  readonly action: string;
  readonly bucket: string;
  readonly key: string | undefined;
  /** The address that the request would come from. */
  readonly from?: string;
}

/** Whether somebody may do something, and by which rule. */
export interface AccessExplanation {
  readonly isAllowed: boolean;
  /** By name. */
  readonly rule: string;
  /** The statement of the bucket's policy that decides. */
  readonly statement?: string;
  /** Whose key it is; absent of nobody, and of a key that is not known. */
  readonly user?: string;
  readonly policy?: string;
  readonly bucketOwner?: string;
  /** What stands in the way of telling, in the storage's words. */
  readonly fault?: string;
}

/** What changes nothing at a storage. */
const reads = /^s3:(Get|List|Head)/;
/** For the storage to tell whose the object is. */
const headMs = 5_000;

/** Decides as a request would be decided on, without one. What only a request has, such as its headers, is taken to be absent. */
export class AccessExplainer {
  readonly #clock: Clock;
  readonly #credentials: CredentialSource;
  readonly #buckets: BucketLookup;
  readonly #namespace: Namespace;
  readonly #settings: { readonly region: string; readonly isSecure: boolean };
  readonly #rules = new AccessControl();

  constructor(
    clock: Clock,
    credentials: CredentialSource,
    buckets: BucketLookup,
    namespace: Namespace,
    settings: { readonly region: string; readonly isSecure: boolean },
  ) {
    this.#clock = clock;
    this.#credentials = credentials;
    this.#buckets = buckets;
    this.#namespace = namespace;
    this.#settings = settings;
  }

  /** InvalidRequest where there is no such action. */
  async explain(asked: AccessToExplain): Promise<AccessExplanation> {
    const { accessKeyId, bucket: bucketName } = asked;
    const action = actionNamed(asked.action);
    if (action === undefined) {
      throw new S3Error('InvalidRequest', { message: `S3 has no action ${JSON.stringify(asked.action)}` });
    }
    const scope = scopeOfAction(action);
    if (scope === 'object' && asked.key === undefined)
      throw new S3Error('InvalidRequest', { message: `${action} is on an object: name its key` });
    const credential = accessKeyId === undefined ? undefined : this.#credentials.lookup(accessKeyId);
    if (accessKeyId !== undefined && !credential) return refused('key-is-not-known', {});
    const identity = credential?.identity ?? anonymous;
    const bucket = this.#buckets.get(bucketName);
    const about = {
      user: identity.userName || undefined,
      policy: identity.policy === 'anonymous' ? undefined : identity.policy,
      bucketOwner: bucket?.owner,
    };
    if (credential?.disabled) return refused('key-is-disabled', about);
    const key = scope === 'object' ? asked.key : undefined;
    const question = {
      identity,
      action,
      bucket,
      key,
      values: this.#valuesOf({ ...asked, action }, identity, bucket?.owner),
    };
    if (!bucket && !ofUsers.has(action)) return refused('no-such-bucket', about);
    const decision = this.#rules.decide(question);
    const statement = this.#rules.statementOn(question);
    if (decision.effect === 'object')
      return this.#onObject({ ...asked, action }, decision.gate, { ...about, statement });
    const { effect, rule } = decision;
    const isOfPolicy = rule === 'policy-denies' || rule === 'policy-allows';
    const told = { ...about, statement: isOfPolicy ? statement : undefined };
    if (effect === 'deny') return refused(rule, told);
    if (bucket && (await this.#isReadOnly({ ...asked, action }))) return refused('mount-is-read-only', told);
    return { isAllowed: true, rule, ...told };
  }

  async #isReadOnly({ action, bucket, key }: AccessToExplain): Promise<boolean> {
    if (reads.test(action) || key === undefined) return false;
    return (await this.#namespace.locate(bucket, key)).readOnly;
  }

  /** What is left to the object itself: whose it is, and its ACL. */
  async #onObject(
    { action, bucket, key = '' }: AccessToExplain,
    gate: Extract<ReturnType<AccessControl['decide']>, { effect: 'object' }>['gate'],
    about: Omit<AccessExplanation, 'isAllowed' | 'rule'>,
  ): Promise<AccessExplanation> {
    try {
      const { backend, path, readOnly } = await this.#namespace.locate(bucket, key);
      const { access } = await backend.head(path, { signal: AbortSignal.timeout(headMs) });
      const rule = gate.ruleOn(access);
      const told = { ...about, statement: rule === 'policy-allows-object' ? about.statement : undefined };
      if (rule === 'object-of-another') return refused(rule, told);
      if (readOnly && !reads.test(action)) return refused('mount-is-read-only', told);
      return { isAllowed: true, rule, ...told };
    } catch (error) {
      if (!(error instanceof UfsError)) throw error;
      if (error.kind !== 'not-found')
        return { isAllowed: false, rule: 'storage-does-not-tell', ...about, fault: error.message };
      const told = gate.absent(new S3Error('NoSuchKey'));
      const isTold = told.code === 'NoSuchKey';
      const rule = isTold ? 'no-such-key' : 'may-not-know-of-keys';
      return { isAllowed: isTold, rule, ...about, statement: undefined };
    }
  }

  #valuesOf({ action, from }: AccessToExplain, identity: Identity, bucketOwner: string | undefined) {
    const { region, isSecure } = this.#settings;
    const judged = {
      identity,
      form: identity.policy === 'anonymous' ? ('anonymous' as const) : ('header' as const),
      headers: {},
      query: new Map<string, string>(),
      remoteAddress: from,
      tlsVersion: undefined,
      isSecure,
      nowMs: this.#clock.nowMs(),
      region,
      operation: undefined,
      action,
      bucketOwner,
      versionId: undefined,
      signedAt: undefined,
      newTags: undefined,
      objectTags: undefined,
    };
    return (key: Parameters<typeof valuesOf>[1]) => valuesOf(judged, key);
  }
}

/** On no bucket that there is. */
const ofUsers: ReadonlySet<string> = new Set(['s3:ListAllMyBuckets', 's3:CreateBucket']);

function refused(rule: string, about: Omit<AccessExplanation, 'isAllowed' | 'rule'>): AccessExplanation {
  return { isAllowed: false, rule, ...about };
}
