import type { Identity } from '../s3api/service.ts';

export type Policy = Exclude<Identity['policy'], 'anonymous'>;
export const policies: readonly Policy[] = ['admin', 'readwrite', 'readonly'];

/** A user as the coordination store keeps it. */
export interface UserRecord {
  readonly name: string;
  /** UUID; new when a user of the same name is created again, so that no key of the former one comes to life. */
  readonly id: string;
  readonly policy: Policy;
  readonly createdMs: number;
}

/** An access key as the coordination store keeps it: valid while its user is there under the same id. */
export interface KeyRecord {
  readonly accessKeyId: string;
  readonly userName: string;
  readonly userId: string;
  /** Out of a `SecretBox`, sealed for the access key id. */
  readonly sealedSecret: string;
  readonly createdMs: number;
  readonly disabled: boolean;
}

/** The administrator whose key comes from the settings. It is in no store, and nothing can be done to it here. */
export const rootUserName = 'root';

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;
const accessKeyIdPattern = /^[A-Za-z0-9_.-]{3,128}$/;
const secretPattern = /^[\x21-\x7e]{8,128}$/;

/** 1–64 letters, digits and `._@-`, the first of them a letter or digit. */
export function isUserName(name: string): boolean {
  return namePattern.test(name);
}

/** 3–128 letters, digits and `_.-`: nothing that parts a credential or an Authorization header. */
export function isAccessKeyId(id: string): boolean {
  return accessKeyIdPattern.test(id);
}

/** 8–128 printable ASCII characters without blanks. */
export function isSecretAccessKey(secret: string): boolean {
  return secretPattern.test(secret);
}

export function isPolicy(policy: string): policy is Policy {
  return (policies as readonly string[]).includes(policy);
}
