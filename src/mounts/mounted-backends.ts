import type { Backend } from '../ufs/backend.ts';
import type { Mount } from './mount.ts';

/** Opens the backend of a mount. Rejects with `UfsError`. */
export type OpenMount = (mount: Mount) => Promise<Backend>;

/** The open backends, one per mount incarnation, opened when first used. */
export class MountedBackends {
  readonly root: Backend;
  readonly #open: OpenMount;
  readonly #opened = new Map<string, Backend>();
  readonly #opening = new Map<string, Promise<Backend>>();

  constructor(root: Backend, open: OpenMount) {
    this.root = root;
    this.#open = open;
  }

  /** The backend at once if it is open already. A failure to open is not remembered. */
  get(mount: Mount | 'root'): Backend | Promise<Backend> {
    if (mount === 'root') return this.root;
    return this.#opened.get(mount.incarnation) ?? this.#opening.get(mount.incarnation) ?? this.#start(mount);
  }

  /** Closes the backends of mounts that are no longer in the table, after `graceMs` for what still uses them. */
  retain(mounts: readonly Mount[], graceMs: number): void {
    const kept = new Set(mounts.map((mount) => mount.incarnation));
    for (const [incarnation, backend] of this.#opened) {
      if (kept.has(incarnation)) continue;
      this.#opened.delete(incarnation);
      setTimeout(() => void backend.close().catch(() => {}), graceMs).unref();
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#opening.values());
    await Promise.allSettled([this.root, ...this.#opened.values()].map((backend) => backend.close()));
    this.#opened.clear();
  }

  async #start(mount: Mount): Promise<Backend> {
    const opening = this.#open(mount);
    this.#opening.set(mount.incarnation, opening);
    try {
      const backend = await opening;
      this.#opened.set(mount.incarnation, backend);
      return backend;
    } finally {
      this.#opening.delete(mount.incarnation);
    }
  }
}
