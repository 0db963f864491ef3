import { abortable } from '../common/abortable.ts';
import type { Clock } from '../common/clock.ts';
import type { Mount } from '../mounts/mount.ts';
import { mountName } from '../mounts/mount-spec.ts';
import type { MountedBackends } from '../mounts/mounted-backends.ts';
import type { Backend } from '../ufs/backend.ts';
import { UfsError } from '../ufs/errors.ts';
import { explain } from './mount-check.ts';

/** How a mount's storage answered a list of one key. */
export interface Reach {
  /** As `mount list` has it; `(root)` for the root mount. */
  readonly mount: string;
  readonly ms: number;
  /** In plain words; absent where it answered. */
  readonly fault?: string;
}

/** No bucket is called so. */
export const rootName = '(root)';

export interface MountReachSettings {
  /** For each answer. */
  readonly timeoutMs: number;
  /** How long an answer counts. */
  readonly keepMs: number;
  /** Of more mounts than these, nothing is asked. */
  readonly maxMounts: number;
}

export const defaultMountReachSettings: MountReachSettings = {
  timeoutMs: 2_000,
  keepMs: 10_000,
  maxMounts: 64,
};

interface Asked {
  readonly atMs: number;
  readonly answers: Promise<readonly Reach[]>;
}

/** Whether this node reaches the storage behind each mount. However often it is asked, storages are asked once in some seconds. */
export class MountReach {
  readonly #clock: Clock;
  readonly #backends: Pick<MountedBackends, 'get'>;
  readonly #mounts: () => readonly Mount[];
  readonly #settings: MountReachSettings;
  #last: Asked | undefined;

  constructor(
    clock: Clock,
    backends: Pick<MountedBackends, 'get'>,
    mounts: () => readonly Mount[],
    settings: MountReachSettings = defaultMountReachSettings,
  ) {
    this.#clock = clock;
    this.#backends = backends;
    this.#mounts = mounts;
    this.#settings = settings;
  }

  /** The root mount first, then the others in their order. */
  all(): Promise<readonly Reach[]> {
    const nowMs = this.#clock.monotonicMs();
    if (!this.#last || nowMs - this.#last.atMs > this.#settings.keepMs) {
      const mounts = ['root' as const, ...this.#mounts()].slice(0, this.#settings.maxMounts);
      this.#last = { atMs: nowMs, answers: Promise.all(mounts.map((mount) => this.#reach(mount))) };
    }
    return this.#last.answers;
  }

  async #reach(mount: Mount | 'root'): Promise<Reach> {
    const name = mount === 'root' ? rootName : mountName(mount);
    const startMs = this.#clock.monotonicMs();
    const fault = await this.#faultOf(mount);
    return { mount: name, ms: Math.round(this.#clock.monotonicMs() - startMs), fault };
  }

  async #list(mount: Mount | 'root', signal: AbortSignal): Promise<void> {
    const backend: Backend = await this.#backends.get(mount);
    await backend.list({ prefix: '', limit: 1, signal });
  }

  async #faultOf(mount: Mount | 'root'): Promise<string | undefined> {
    const signal = AbortSignal.timeout(this.#settings.timeoutMs);
    try {
      await abortable(this.#list(mount, signal), signal);
      return undefined;
    } catch (error) {
      if (signal.aborted) return `the storage did not answer within ${this.#settings.timeoutMs / 1_000} s`;
      if (error instanceof UfsError) return explain(error);
      throw error;
    }
  }
}
