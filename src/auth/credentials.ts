import type { Clock } from '../common/clock.ts';
import type { CoordStore } from '../coord/store.ts';
import { CoordError } from '../coord/store.ts';
import { WatchedPrefix } from '../coord/watched-prefix.ts';
import { S3Error } from '../s3api/errors.ts';
import type { Identity } from '../s3api/service.ts';
import type { Credential, CredentialSource } from './authenticate.ts';
import type { SecretBox } from './secret-box.ts';
import { type KeyRecord, rootUserName, type UserRecord } from './user-record.ts';

/** Where users and their keys lie in the coordination store; both below `users/`. */
export const usersPrefix = 'users/names/';
export const keysPrefix = 'users/keys/';

export interface RootKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A key with its secret, which is undefined where it does not open. */
export interface OpenedKey extends KeyRecord {
  readonly secretAccessKey: string | undefined;
}

/**
 * Users and keys in this process's memory, kept current by watches. What this process changes is in force here when the change
 * returns; what others change, when the watch brings it. Looking up is synchronous.
 */
export class Credentials implements CredentialSource {
  readonly users: WatchedPrefix<UserRecord>;
  readonly keys: WatchedPrefix<OpenedKey>;
  readonly root: RootKey;
  private readonly rootCredential: Credential;
  private readonly isTooOld: () => boolean;

  private constructor(
    users: WatchedPrefix<UserRecord>,
    keys: WatchedPrefix<OpenedKey>,
    root: RootKey,
    isTooOld: () => boolean,
  ) {
    this.isTooOld = isTooOld;
    this.users = users;
    this.keys = keys;
    this.root = root;
    this.rootCredential = {
      identity: { userName: rootUserName, policy: 'admin', accessKeyId: root.accessKeyId },
      secretAccessKey: root.secretAccessKey,
      disabled: false,
    };
  }

  /**
   * `isTooOld`: whether the store was silent for so long that what is known of keys may not be relied on. Rejects with `CoordError`: kind
   * `corrupt` if a secret in the store does not open with this box's key.
   */
  static async open(
    clock: Clock,
    store: CoordStore,
    box: SecretBox,
    root: RootKey,
    isTooOld: () => boolean = () => false,
  ): Promise<Credentials> {
    const users = await WatchedPrefix.open(clock, store, usersPrefix, decodeUser, () => {});
    const decode = (value: string) => decodeKey(value, box);
    const keys = await WatchedPrefix.open(clock, store, keysPrefix, decode, () => {}).catch(
      async (error: unknown) => {
        await users.close();
        throw error;
      },
    );
    const credentials = new Credentials(users, keys, root, isTooOld);
    const shut = keys.values().find((key) => key.secretAccessKey === undefined);
    if (shut) {
      await credentials.close();
      const message = `the secret of the access key ${shut.accessKeyId} was sealed with another encryption key`;
      throw new CoordError('corrupt', message);
    }
    return credentials;
  }

  /**
   * The root key stands above a stored one of the same id, and needs no store. Throws ServiceUnavailable for any other while what is known
   * is too old: the key may have been disabled, or made, meanwhile.
   */
  lookup(accessKeyId: string): Credential | undefined {
    if (accessKeyId === this.root.accessKeyId) return this.rootCredential;
    if (this.isTooOld()) {
      throw new S3Error('ServiceUnavailable', {
        message: 'Access keys cannot be checked at the moment. Please try again.',
      });
    }
    const key = this.keys.get(accessKeyId);
    if (key?.secretAccessKey === undefined) return undefined;
    const user = this.users.get(key.userName);
    if (!user || user.id !== key.userId) return undefined;
    const identity: Identity = { userName: user.name, policy: user.policy, accessKeyId };
    return { identity, secretAccessKey: key.secretAccessKey, disabled: key.disabled };
  }

  hasUser(name: string): boolean {
    return name === rootUserName || this.users.get(name) !== undefined;
  }

  async close(): Promise<void> {
    await this.users.close();
    await this.keys.close();
  }
}

function decodeUser(value: string): UserRecord {
  return JSON.parse(value) as UserRecord;
}

function decodeKey(value: string, box: SecretBox): OpenedKey {
  const record = JSON.parse(value) as KeyRecord;
  return { ...record, secretAccessKey: box.open(record.sealedSecret, record.accessKeyId) };
}
