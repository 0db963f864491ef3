import { existsSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { runCommand } from '../../scripts/run-command.ts';

const script = resolve(import.meta.dirname, '../../scripts/debian-package.sh');
const folders = ['x86_64-linux-gnu', 'aarch64-linux-gnu'];

/** The library that sets a process's wall clock; `missing` says why there is none. */
export async function findFakeTime(): Promise<{ readonly library: string } | { readonly missing: string }> {
  const { code, output } = await runCommand('sh', [script, 'faketime']);
  const paths = folders.map((folder) =>
    join(output.trim(), 'usr/lib', folder, 'faketime/libfaketimeMT.so.1'),
  );
  const library = paths.find((path) => code === 0 && existsSync(path));
  return library === undefined ? { missing: output.trim() } : { library };
}

/** The wall clock of one process, which can be set while it runs. Its monotonic clock goes on as it is. */
export class FakeClock {
  /** How far it is ahead. */
  offsetMs = 0;
  private readonly path: string;
  private readonly library: string | undefined;

  /** Without a library the clock is the machine's. */
  constructor(path: string, library: string | undefined) {
    this.path = path;
    this.library = library;
  }

  get isSettable(): boolean {
    return this.library !== undefined;
  }

  /** What its process needs in its environment. */
  environment(): Readonly<Record<string, string>> {
    if (this.library === undefined) return {};
    return {
      LD_PRELOAD: this.library,
      FAKETIME_TIMESTAMP_FILE: this.path,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      // It looks into the file each second.
      FAKETIME_CACHE_DURATION: '1',
    };
  }

  async set(offsetMs: number): Promise<void> {
    this.offsetMs = offsetMs;
    const seconds = offsetMs / 1000;
    await writeFile(`${this.path}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`);
    await rename(`${this.path}.new`, this.path);
  }

  /** Removes what the library leaves of processes that were killed. */
  async clean(pids: readonly number[]): Promise<void> {
    for (const pid of pids) {
      for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`])
        await rm(join('/dev/shm', name), { force: true });
    }
  }
}
