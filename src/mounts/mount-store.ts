import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import type { CoordStore } from '../coord/store.ts';
import { WatchedPrefix } from '../coord/watched-prefix.ts';
import type { ProbedAbilities } from '../ufs/backend.ts';
import { KeyLock } from '../ufs/key-lock.ts';
import { BucketStore } from './bucket-store.ts';
import type { Mount } from './mount.ts';
import { MountError } from './mount-error.ts';
import { type MountSpec, mountName } from './mount-spec.ts';
import { MountTable } from './mount-table.ts';
import { refuseSharedPlace } from './shared-places.ts';

const keyPrefix = 'mounts/';
/** A change that meets another one's is made again over that. */
const changeTries = 4;
const maximumMounts = 10_000;

/**
 * A mount as it is kept. It counts only while the bucket that it was made for is there: bucket and mount are two entries,
 * and so whichever is written first or left over does no harm.
 */
interface StoredMount extends Mount {
  readonly bucketIncarnation: string;
}

/** Seals a secret for one name, and opens it again (undefined if it does not open). */
export interface Sealer {
  seal(secret: string, name: string): string;
  open(sealed: string, name: string): string | undefined;
}

export interface MountStoreSettings {
  /** Who owns the bucket of a mount that names no owner. */
  readonly rootUser: string;
}

/**
 * The mounts in the coordination store, and the table made of them as it stands now. What this process changes is in the table
 * when the change returns. Changes reject with `MountError` and `CoordError`.
 */
export class MountStore {
  readonly buckets: BucketStore;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly sealer: Sealer;
  private readonly rows: WatchedPrefix<StoredMount>;
  private readonly settings: MountStoreSettings;
  private readonly listeners = new Set<(table: MountTable) => void>();
  private readonly adding = new KeyLock();
  private present = MountTable.empty;

  private constructor(
    clock: Clock,
    random: Random,
    sealer: Sealer,
    buckets: BucketStore,
    rows: WatchedPrefix<StoredMount>,
    settings: MountStoreSettings,
  ) {
    this.clock = clock;
    this.random = random;
    this.sealer = sealer;
    this.buckets = buckets;
    this.rows = rows;
    this.settings = settings;
    this.present = this.build();
  }

  /** Opens the buckets too, since a mount counts only together with its bucket. */
  static async open(
    clock: Clock,
    random: Random,
    store: CoordStore,
    sealer: Sealer,
    settings: MountStoreSettings,
  ): Promise<MountStore> {
    let opened: MountStore | undefined;
    const changed = () => opened?.refresh();
    const buckets = await BucketStore.open(clock, random, store, changed);
    const decode = (value: string) => Object.freeze(JSON.parse(value) as StoredMount);
    const rows = await WatchedPrefix.open(clock, store, keyPrefix, decode, changed).catch(
      async (error: unknown) => {
        await buckets.close();
        throw error;
      },
    );
    opened = new MountStore(clock, random, sealer, buckets, rows, settings);
    return opened;
  }

  /** Immutable; another one after each change. */
  get table(): MountTable {
    return this.present;
  }

  /** Calls `listener` after each change of the table, until the returned function is called. */
  onChange(listener: (table: MountTable) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** The secret of a mount's access key, in the clear. Kinds: invalid, if it was sealed with another encryption key. */
  secretOf(mount: Mount): string | undefined {
    return this.opened(mount, mount.sealedSecretAccessKey, mount.incarnation);
  }

  /** The text of a mount's credentials file, in the clear. Kinds: as `secretOf`. */
  credentialsOf(mount: Mount): string | undefined {
    return this.opened(mount, mount.sealedCredentials, credentialsName(mount.incarnation));
  }

  private opened(mount: Mount, sealed: string | undefined, name: string): string | undefined {
    if (sealed === undefined) return undefined;
    const secret = this.sealer.open(sealed, name);
    if (secret !== undefined) return secret;
    throw new MountError(
      'invalid',
      `the secret of the mount ${mountName(mount)} was sealed with another encryption key: remove the mount and add it again`,
    );
  }

  /** Whether a mount could be added there as things stand. Kinds: exists, conflict. */
  checkFree(spec: Pick<MountSpec, 'bucket' | 'prefix'>): void {
    if (this.rows.values().length >= maximumMounts) {
      throw new MountError('conflict', `there are ${maximumMounts} mounts already`);
    }
    if (spec.prefix !== '' && this.table.find(spec.bucket, spec.prefix)) {
      throw new MountError('exists', `${mountName(spec)} is mounted already: remove that mount first`);
    }
    const existing = spec.prefix === '' ? this.buckets.get(spec.bucket) : undefined;
    if (existing) {
      throw new MountError(
        'exists',
        existing.kind === 'mount'
          ? `${spec.bucket} is mounted already: remove that mount first`
          : `there is a bucket ${spec.bucket} already, and a mount over it would hide what it holds: choose another name, or mount at ${spec.bucket}/PREFIX`,
      );
    }
  }

  /**
   * Adds a mount, and its bucket where that is part of it. Kinds: exists, also where another mount has the same place; conflict;
   * invalid, if the folder may not be looked at. If it rejects, nothing is there that was not there before; after
   * `CoordError` kind `unavailable` that is not known.
   */
  async add(spec: MountSpec, abilities?: ProbedAbilities): Promise<Mount> {
    // One at a time, since each is to be compared with all the others.
    return this.adding.run('add', async () => {
      this.checkFree(spec);
      await refuseSharedPlace(spec, this.table.mounts);
      return spec.prefix === '' ? this.addWhole(spec, abilities) : this.addNested(spec, abilities);
    });
  }

  /** Removes a mount; nothing at its backend is touched. Kinds: not-found, nested, conflict. */
  async remove(bucket: string, prefix: string): Promise<Mount> {
    const name = nameOf(bucket, prefix);
    const mount = this.rows.get(name);
    const revision = this.rows.revisionOf(name);
    if (!mount || revision === undefined) {
      throw new MountError('not-found', `there is no mount ${mountName({ bucket, prefix })}`);
    }
    if (prefix === '') await this.removeBucketOf(mount);
    if (!(await this.rows.delete(name, revision))) throw changedMeanwhile(mount);
    return mount;
  }

  /**
   * Another write mode, from the next write on; everything else of the mount stays. That a mount was `back` once is never taken back. Kinds:
   * not-found, conflict.
   */
  async setWriteMode(
    bucket: string,
    prefix: string,
    change: Partial<Pick<Mount, 'writeMode' | 'copies' | 'wasBack'>>,
  ): Promise<Mount> {
    const name = nameOf(bucket, prefix);
    const first = this.rows.get(name);
    if (!first) throw new MountError('not-found', `there is no mount ${mountName({ bucket, prefix })}`);
    for (let tries = 1; ; tries++) {
      const mount = this.rows.get(name);
      const revision = this.rows.revisionOf(name);
      // Another one in its place is not what was meant.
      if (!mount || revision === undefined || mount.incarnation !== first.incarnation) break;
      const isBack = change.writeMode === 'back' || mount.wasBack || mount.writeMode === 'back';
      const changed = { ...mount, ...change, ...(isBack ? { wasBack: true as const } : {}) };
      if (await this.rows.put(name, JSON.stringify(changed), { revision })) return changed;
      if (tries === changeTries) break;
      // Another node has changed it, and the watch has not said so yet.
      await this.rows.refresh(name);
    }
    throw changedMeanwhile(first);
  }

  async close(): Promise<void> {
    this.listeners.clear();
    await this.rows.close();
    await this.buckets.close();
  }

  private async addWhole(spec: MountSpec, abilities: ProbedAbilities | undefined): Promise<Mount> {
    const { bucket: name, owner = this.settings.rootUser } = spec;
    const incarnation = this.random.uuid();
    const stored = await this.write(spec, abilities, incarnation);
    if (await this.buckets.create({ name, owner, kind: 'mount', incarnation })) return stored;
    // Somebody made a bucket of this name meanwhile; the mount never counted.
    await this.withdraw(stored);
    throw new MountError('exists', `there is a bucket ${name} already`);
  }

  private async addNested(spec: MountSpec, abilities: ProbedAbilities | undefined): Promise<Mount> {
    const { bucket: name } = spec;
    const existing = this.buckets.get(name);
    const incarnation = existing?.incarnation ?? this.random.uuid();
    // Before its bucket, which is not left behind then if this fails; until the bucket is there, the mount does not count.
    const stored = await this.write(spec, abilities, incarnation);
    if (!existing) {
      await this.buckets.create({ name, owner: this.settings.rootUser, kind: 'root', incarnation });
    }
    if (this.buckets.get(name)?.incarnation === incarnation) return stored;
    await this.withdraw(stored);
    throw changedMeanwhile(spec);
  }

  /** Writes the entry, over what a broken-off change or a bucket that is gone has left there. */
  private async write(
    spec: MountSpec,
    abilities: ProbedAbilities | undefined,
    bucketIncarnation: string,
  ): Promise<StoredMount> {
    const { path: _, secretAccessKey, credentials, owner: __, ...kept } = spec;
    const incarnation = this.random.uuid();
    const stored: StoredMount = {
      ...kept,
      ...(abilities === undefined ? {} : { abilities }),
      incarnation,
      ...(secretAccessKey === undefined
        ? {}
        : { sealedSecretAccessKey: this.sealer.seal(secretAccessKey, incarnation) }),
      ...(credentials === undefined
        ? {}
        : { sealedCredentials: this.sealer.seal(credentials, credentialsName(incarnation)) }),
      createdMs: this.clock.nowMs(),
      bucketIncarnation,
    };
    const name = nameOf(spec.bucket, spec.prefix);
    const leftOver = this.rows.revisionOf(name);
    const expected = leftOver === undefined ? 'absent' : { revision: leftOver };
    if (!(await this.rows.put(name, JSON.stringify(stored), expected))) throw changedMeanwhile(spec);
    return stored;
  }

  private async withdraw(stored: StoredMount): Promise<void> {
    const name = nameOf(stored.bucket, stored.prefix);
    const revision = this.rows.revisionOf(name);
    if (revision === undefined || this.rows.get(name)?.incarnation !== stored.incarnation) return;
    await this.rows.delete(name, revision);
  }

  /** Before the mount itself, so that its bucket is never there without it. */
  private async removeBucketOf(mount: StoredMount): Promise<void> {
    const nested = this.table.mountsOf(mount.bucket).filter((other) => other.prefix !== '');
    if (nested.length > 0) {
      const names = nested.map(mountName).join(', ');
      throw new MountError('nested', `other mounts lie inside ${mount.bucket}: remove ${names} first`);
    }
    const bucket = this.buckets.get(mount.bucket);
    if (bucket?.incarnation !== mount.bucketIncarnation) return;
    if (!(await this.buckets.delete(bucket))) throw changedMeanwhile(mount);
  }

  private refresh(): void {
    this.present = this.build();
    for (const listener of this.listeners) listener(this.present);
  }

  private build(): MountTable {
    const counts = (mount: StoredMount) =>
      this.buckets.get(mount.bucket)?.incarnation === mount.bucketIncarnation;
    return new MountTable(this.rows.values().filter(counts));
  }
}

/** Apart from the name that a secret access key is sealed for, so that neither opens as the other. */
function credentialsName(incarnation: string): string {
  return `${incarnation}/credentials`;
}

function nameOf(bucket: string, prefix: string): string {
  return `${bucket}/${prefix}`;
}

function changedMeanwhile(mount: { readonly bucket: string; readonly prefix: string }): MountError {
  return new MountError('conflict', `${mountName(mount)} was changed by somebody else meanwhile: look again`);
}
