import type { Backend } from '../ufs/backend.ts';
import { UfsError } from '../ufs/errors.ts';
import type { Mount } from './mount.ts';
import { MountError } from './mount-error.ts';

/** Opens the backend of a mount. Rejects with `UfsError`, or with `MountError` where the mount itself is at fault. */
export type OpenMount = (mount: Mount) => Promise<Backend>;

/** The open backends, one per mount incarnation, opened when first used. */
export class MountedBackends {
  readonly root: Backend;
  readonly #open: OpenMount;
  readonly #opened = new Map<string, Backend>();
  readonly #opening = new Map<string, Promise<Backend>>();
  /** Of mounts that are gone, still open for the requests that use them. */
  readonly #retired = new Set<Backend>();
  /** Incarnations of the mounts there are; undefined until it was said. */
  #wanted: ReadonlySet<string> | undefined;
  #graceMs = 0;

  constructor(root: Backend, open: OpenMount) {
    this.root = root;
    this.#open = open;
  }

  /** The backend at once if it is open already. A failure to open, always a `UfsError`, is not remembered. */
  get(mount: Mount | 'root'): Backend | Promise<Backend> {
    if (mount === 'root') return this.root;
    return this.#opened.get(mount.incarnation) ?? this.#opening.get(mount.incarnation) ?? this.#start(mount);
  }

  /**
   * Closes the backends of mounts that are no longer in the table, those that are being opened too, after `graceMs` for what still
   * uses them.
   */
  retain(mounts: readonly Mount[], graceMs: number): void {
    this.#wanted = new Set(mounts.map((mount) => mount.incarnation));
    this.#graceMs = graceMs;
    for (const [incarnation, backend] of this.#opened) {
      if (this.#wanted.has(incarnation)) continue;
      this.#opened.delete(incarnation);
      this.#retire(backend);
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#opening.values());
    const all = [this.root, ...this.#opened.values(), ...this.#retired];
    this.#opened.clear();
    this.#retired.clear();
    await Promise.allSettled(all.map((backend) => backend.close()));
  }

  async #start(mount: Mount): Promise<Backend> {
    const opening = this.#openOrSay(mount);
    this.#opening.set(mount.incarnation, opening);
    try {
      const backend = await opening;
      // The mount may have been removed before or meanwhile; who asked for it still gets it.
      if (this.#wanted?.has(mount.incarnation) === false) this.#retire(backend);
      else this.#opened.set(mount.incarnation, backend);
      return backend;
    } finally {
      this.#opening.delete(mount.incarnation);
    }
  }

  /** A mount that cannot be opened as it is stored is storage that cannot be reached. */
  async #openOrSay(mount: Mount): Promise<Backend> {
    try {
      return await this.#open(mount);
    } catch (error) {
      if (!(error instanceof MountError)) throw error;
      const details = { backend: mount.uri, retryable: false, cause: error };
      throw new UfsError('unavailable', error.message, details);
    }
  }

  #retire(backend: Backend): void {
    this.#retired.add(backend);
    setTimeout(() => {
      if (this.#retired.delete(backend)) void backend.close().catch(() => {});
    }, this.#graceMs).unref();
  }
}
