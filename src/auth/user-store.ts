import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import type { Credentials } from './credentials.ts';
import type { SecretBox } from './secret-box.ts';
import {
  isAccessKeyId,
  isPolicy,
  isSecretAccessKey,
  isUserName,
  type KeyRecord,
  type Policy,
  rootUserName,
  type UserRecord,
} from './user-record.ts';

export type UserErrorKind = 'invalid' | 'exists' | 'not-found' | 'limit' | 'conflict';

/** Why a change to users was refused; nothing was changed. The message may be shown to operators. */
export class UserError extends Error {
  override name = 'UserError';
  readonly kind: UserErrorKind;

  constructor(kind: UserErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

export interface NewKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A key as it is shown: without its secret, which only its creation gives. */
export interface KeyInfo {
  readonly accessKeyId: string;
  readonly createdMs: number;
  readonly disabled: boolean;
}

export interface UserInfo {
  readonly name: string;
  readonly policy: Policy;
  /** Undefined for the root user, which the settings make. */
  readonly createdMs: number | undefined;
  /** Oldest first. */
  readonly keys: readonly KeyInfo[];
}

export interface GivenKey {
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
}

export const maximumKeysPerUser = 10;
export const maximumUsers = 10_000;

/**
 * Users and their access keys in the coordination store. Each method rejects with `UserError` where it refuses, and with
 * `CoordError` where the store is away. All may run concurrently, on several nodes too; when one returns, the change holds
 * in this process.
 */
export class UserStore {
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly box: SecretBox;
  private readonly credentials: Credentials;

  constructor(clock: Clock, random: Random, box: SecretBox, credentials: Credentials) {
    this.clock = clock;
    this.random = random;
    this.box = box;
    this.credentials = credentials;
  }

  /** Kinds: invalid, exists (name or access key id), limit. What of the key is not given is made up. */
  async createUser(name: string, options: GivenKey & { readonly policy: string }): Promise<NewKey> {
    if (!isUserName(name)) throw new UserError('invalid', `${JSON.stringify(name)} is not a user name`);
    const { policy } = options;
    if (!isPolicy(policy)) {
      throw new UserError('invalid', `${JSON.stringify(policy)} is no policy: admin, readwrite or readonly`);
    }
    const key = this.completeKey(options);
    if (this.find(name)) throw nameTaken(name);
    if (this.credentials.users.values().length >= maximumUsers) {
      throw new UserError('limit', `there are ${maximumUsers} users already`);
    }
    const user: UserRecord = { name, id: this.random.uuid(), policy, createdMs: this.clock.nowMs() };
    if (!(await this.credentials.users.put(name, JSON.stringify(user), 'absent'))) throw nameTaken(name);
    try {
      await this.putKey(user, key);
    } catch (error) {
      // A user is created with its key or not at all.
      await this.removeUser(user);
      throw error;
    }
    return key;
  }

  /** The root user first, then the others by name. */
  listUsers(): readonly UserInfo[] {
    const others = this.credentials.users.values().sort((a, b) => (a.name < b.name ? -1 : 1));
    return [this.rootInfo(), ...others.map((user) => this.info(user))];
  }

  /** Kinds: not-found. */
  showUser(name: string): UserInfo {
    return name === rootUserName ? this.rootInfo() : this.info(this.existing(name));
  }

  /** Its keys are refused from then on. Kinds: not-found, invalid (the root user), conflict. */
  async deleteUser(name: string): Promise<void> {
    const user = this.existing(name);
    if (!(await this.removeUser(user))) throw changedMeanwhile(name);
    // Without their user the keys are dead already; this frees their ids.
    for (const key of this.keysOf(user)) await this.removeKey(key);
  }

  /**
   * Kinds: not-found, invalid (also for the root user), exists, limit. Nodes that add keys to one user at the same moment may
   * pass the limit by those they have not heard of yet.
   */
  async createKey(name: string, given: GivenKey = {}): Promise<NewKey> {
    const user = this.existing(name);
    const key = this.completeKey(given);
    this.refuseAboveLimit(user, maximumKeysPerUser - 1);
    await this.putKey(user, key);
    return key;
  }

  /** No request signed with it is accepted from then on. Kinds: not-found, invalid (the root user's), conflict. */
  async disableKey(name: string, accessKeyId: string): Promise<void> {
    const user = this.existing(name);
    const key = this.keysOf(user).find((candidate) => candidate.accessKeyId === accessKeyId);
    if (!key) throw new UserError('not-found', `${name} has no access key ${accessKeyId}`);
    if (key.disabled) return;
    const revision = this.credentials.keys.revisionOf(accessKeyId);
    const record = JSON.stringify({ ...key, disabled: true });
    if (revision === undefined || !(await this.credentials.keys.put(accessKeyId, record, { revision }))) {
      throw changedMeanwhile(accessKeyId);
    }
  }

  private completeKey(given: GivenKey): NewKey {
    const accessKeyId = given.accessKeyId ?? generateAccessKeyId(this.random);
    const secretAccessKey = given.secretAccessKey ?? generateSecretAccessKey(this.random);
    if (!isAccessKeyId(accessKeyId)) {
      throw new UserError('invalid', 'an access key id has 3 to 128 letters, digits, "_", "." or "-"');
    }
    if (!isSecretAccessKey(secretAccessKey)) {
      throw new UserError('invalid', 'a secret access key has 8 to 128 printable characters and no blanks');
    }
    return { accessKeyId, secretAccessKey };
  }

  /** The entry under the id is made only where there is none, so that an id is one user's alone on all nodes. */
  private async putKey(user: UserRecord, { accessKeyId, secretAccessKey }: NewKey): Promise<void> {
    const record: KeyRecord = {
      accessKeyId,
      userName: user.name,
      userId: user.id,
      sealedSecret: this.box.seal(secretAccessKey, accessKeyId),
      createdMs: this.clock.nowMs(),
      disabled: false,
    };
    const isRoots = accessKeyId === this.credentials.root.accessKeyId;
    if (isRoots || !(await this.credentials.keys.put(accessKeyId, JSON.stringify(record), 'absent'))) {
      throw new UserError('exists', `the access key id ${accessKeyId} is taken`);
    }
    try {
      // The limit, and the user itself, may have changed while the key was written.
      if (this.find(user.name)?.id !== user.id) throw notFound(user.name);
      this.refuseAboveLimit(user, maximumKeysPerUser);
    } catch (error) {
      await this.removeKey(record);
      throw error;
    }
  }

  private refuseAboveLimit(user: UserRecord, most: number): void {
    if (this.keysOf(user).length <= most) return;
    throw new UserError('limit', `${user.name} has ${maximumKeysPerUser} access keys already`);
  }

  private async removeUser(user: UserRecord): Promise<boolean> {
    const revision = this.credentials.users.revisionOf(user.name);
    return revision !== undefined && (await this.credentials.users.delete(user.name, revision));
  }

  private async removeKey(key: KeyRecord): Promise<void> {
    const revision = this.credentials.keys.revisionOf(key.accessKeyId);
    if (revision !== undefined) await this.credentials.keys.delete(key.accessKeyId, revision);
  }

  private find(name: string): UserRecord | { readonly id: undefined } | undefined {
    return name === rootUserName ? { id: undefined } : this.credentials.users.get(name);
  }

  private existing(name: string): UserRecord {
    if (name === rootUserName) {
      throw new UserError('invalid', 'the root user and its key are made by the settings, and changed there');
    }
    const user = this.credentials.users.get(name);
    if (!user) throw notFound(name);
    return user;
  }

  /** Records as the store holds them, without the opened secret. */
  private keysOf(user: UserRecord): KeyRecord[] {
    return this.credentials.keys
      .values()
      .filter((key) => key.userId === user.id)
      .map(({ secretAccessKey: _, ...record }) => record)
      .sort((a, b) => a.createdMs - b.createdMs || (a.accessKeyId < b.accessKeyId ? -1 : 1));
  }

  private info(user: UserRecord): UserInfo {
    const keys = this.keysOf(user).map(({ accessKeyId, createdMs, disabled }) => ({
      accessKeyId,
      createdMs,
      disabled,
    }));
    return { name: user.name, policy: user.policy, createdMs: user.createdMs, keys };
  }

  private rootInfo(): UserInfo {
    const { accessKeyId } = this.credentials.root;
    const keys = [{ accessKeyId, createdMs: 0, disabled: false }];
    return { name: rootUserName, policy: 'admin', createdMs: undefined, keys };
  }
}

const idAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** 20 characters that begin with `FB`, 90 bits of chance. */
export function generateAccessKeyId(random: Random): string {
  const characters = [...random.bytes(18)].map((byte) => idAlphabet[byte & 31]);
  return `FB${characters.join('')}`;
}

/** 40 letters and digits, some 235 bits of chance: no sign in it that a careless client or a command line could trip over. */
export function generateSecretAccessKey(random: Random): string {
  return random.bytes(30).toString('base64').replaceAll('+', 'p').replaceAll('/', 's');
}

function nameTaken(name: string): UserError {
  return new UserError('exists', `there is a user ${name} already`);
}

function notFound(name: string): UserError {
  return new UserError('not-found', `there is no user ${name}`);
}

function changedMeanwhile(what: string): UserError {
  return new UserError('conflict', `${what} was changed by somebody else meanwhile; look again`);
}
