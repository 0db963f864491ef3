/** A bucket's policy, taken apart once and then asked many times. */

/** Whom a statement is about. */
export interface Principals {
  /** Everybody, anonymous callers too. */
  readonly everybody: boolean;
  /** Names of users. */
  readonly users: ReadonlySet<string>;
}

export interface Condition {
  readonly key: ConditionKey;
  /** Whether it holds of the values that a request has for the key; undefined: it has none. */
  readonly holds: (values: readonly string[] | undefined, matching: Matching) => boolean;
  /** Whether it holds of some values only that are written in full. */
  readonly isFixed: boolean;
}

/** A condition key in lower case: of `s3:ExistingObjectTag/<k>` and the like, the name, and the tag's own key as it is written. */
export interface ConditionKey {
  readonly name: string;
  readonly tag?: string;
}

/** Compares what a policy says with what one request is. Each method throws `EffortSpent` where that takes too long in all. */
export interface Matching {
  /** With its `${…}` replaced; undefined where one of them stands for nothing. As a pattern, values are no patterns in it. */
  expand(written: string, as: 'pattern' | 'text'): string | undefined;
  isLike(text: string, pattern: string): boolean;
  /** To be told of other work. */
  spend(steps: number): void;
}

export interface Statement {
  /** As its owner wrote it. */
  readonly sid?: string;
  /** Its place among the statements, from 1. */
  readonly position: number;
  readonly effect: 'Allow' | 'Deny';
  readonly principals: Principals;
  /** `NotPrincipal`: everyone but those. */
  readonly exceptPrincipals: boolean;
  /** Lower-case patterns with `*` and `?`. */
  readonly actions: readonly string[];
  readonly exceptActions: boolean;
  /** Patterns of what stands behind `arn:aws:s3:::`. */
  readonly resources: readonly string[];
  readonly exceptResources: boolean;
  readonly conditions: readonly Condition[];
}

export interface BucketPolicy {
  readonly statements: readonly Statement[];
  /** Whether `${…}` stands for something in it: not in policies of the version before 2012-10-17. */
  readonly hasVariables: boolean;
  /** Whether a statement asks for the tags that an object has. */
  readonly asksForTags: boolean;
  /** Whether a statement asks for the tags that a request gives an object. */
  readonly asksForNewTags: boolean;
  /** Whether somebody who is not named is allowed something (S3 User Guide, "Blocking public access", "The meaning of public"). */
  readonly isPublic: boolean;
}

/** What a policy is asked about. */
export interface PolicyQuestion {
  /** Undefined: nobody knows who asks. */
  readonly user: string | undefined;
  /** Such as `s3:GetObject`. */
  readonly action: string;
  /** `bucket` or `bucket/key`. */
  readonly resource: string;
  /** What the request has for a condition key; undefined: nothing. */
  readonly values: (key: ConditionKey) => readonly string[] | undefined;
}

/** `neither`: no statement is about it. */
export type Verdict = 'allow' | 'deny' | 'neither';
