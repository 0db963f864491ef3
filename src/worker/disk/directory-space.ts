import type { Clock } from '../../common/clock.ts';
import type { FileSystem } from '../../ufs/file-system.ts';

export interface DirectorySpaceSettings {
  readonly path: string;
  readonly capacityBytes: number;
  /** What is to stay free on the file system; of a small one at most a twentieth. */
  readonly minFreeBytes: number;
}

/** How long an answer of the file system is relied on, minus what was written since. */
const checkMs = 1000;

/** Whether a directory has room for more: within its capacity, and while enough stays free for others on its file system. */
export class DirectorySpace {
  private readonly clock: Clock;
  private readonly fs: FileSystem;
  private readonly settings: DirectorySpaceSettings;
  private checkedMs = Number.NEGATIVE_INFINITY;
  /** What may be taken before the file system's floor is reached; negative below it. */
  private spareBytes = 0;
  private usedAtCheck = 0;

  constructor(clock: Clock, fs: FileSystem, settings: DirectorySpaceSettings) {
    this.clock = clock;
    this.fs = fs;
    this.settings = settings;
  }

  get isCheckDue(): boolean {
    return this.clock.monotonicMs() - this.checkedMs >= checkMs;
  }

  /** Asks the file system. */
  async check(usedBytes: number): Promise<void> {
    const { freeBytes, totalBytes } = await this.fs.space(this.settings.path);
    this.spareBytes = freeBytes - Math.min(this.settings.minFreeBytes, totalBytes / 20);
    this.usedAtCheck = usedBytes;
    this.checkedMs = this.clock.monotonicMs();
  }

  fits(usedBytes: number, bytes: number): boolean {
    const written = usedBytes - this.usedAtCheck;
    return usedBytes + bytes <= this.settings.capacityBytes && written + bytes <= this.spareBytes;
  }

  /** True if it is others who left no room, so that there is none even with nothing kept here. */
  isCrowdedOut(usedBytes: number): boolean {
    return usedBytes - this.usedAtCheck > this.spareBytes;
  }
}
