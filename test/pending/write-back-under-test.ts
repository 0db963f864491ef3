import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import { ConflictFiles } from '../../src/pending/conflict-files.ts';
import { Journal } from '../../src/pending/journal.ts';
import { PendingChain } from '../../src/pending/pending-chain.ts';
import { Persister, type PersisterSettings } from '../../src/pending/persister.ts';
import { StampedVersions } from '../../src/pending/stamped-versions.ts';
import { UploadTrials } from '../../src/pending/upload-trial.ts';
import { WriteBackBackend, type WriteBackSettings } from '../../src/pending/write-back-backend.ts';
import type { Backend } from '../../src/ufs/backend.ts';
import type { FileSystem } from '../../src/ufs/file-system.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';

export interface WriteBackOptions {
  readonly fs?: FileSystem;
  readonly clock?: Clock;
  /** Where the journal lies; a folder of its own otherwise. */
  readonly path?: string;
  readonly capacityBytes?: number;
  /** What the persister writes to; the storage itself otherwise. */
  readonly persistTo?: Backend;
  readonly persister?: Partial<PersisterSettings>;
  readonly backend?: Partial<WriteBackSettings>;
}

export interface WriteBackUnderTest {
  readonly backend: WriteBackBackend;
  readonly journal: Journal;
  readonly chain: PendingChain;
  readonly persister: Persister;
  /** How attempts ended, by result. */
  readonly results: Record<string, number>;
  close(): Promise<void>;
}

/** A storage whose writes are acknowledged before it has them. */
export async function openWriteBack(
  inner: Backend,
  options: WriteBackOptions = {},
): Promise<WriteBackUnderTest> {
  const { fs = new NodeFileSystem(), clock = systemClock, capacityBytes = 1e9 } = options;
  const path = options.path ?? (await mkdtemp(join(tmpdir(), 'forebay-pending-')));
  const settings = { path: join(path, 'pending'), capacityBytes, segmentBytes: 1_000_000 };
  const journal = await Journal.open(fs, clock, systemRandom, silentLog(), settings);
  const chain = new PendingChain(inner.uri, journal);
  const stamped = new StampedVersions(inner);
  const trials = new UploadTrials(fs, systemRandom, settings.path);
  const results: Record<string, number> = {};
  const persister = new Persister(
    clock,
    systemRandom,
    silentLog(),
    journal,
    chain,
    options.persistTo ?? inner,
    stamped,
    new ConflictFiles(fs, journal, join(path, 'pending', 'conflicts')),
    {
      concurrency: 4,
      delayMs: 0,
      retryMs: [1, 20],
      settleMs: 50,
      overwrites: false,
      ...options.persister,
    },
    {
      attempted: (result) => {
        results[result] = (results[result] ?? 0) + 1;
      },
    },
  );
  const isFit = () => trials.isFit(chain.name, inner);
  const backend = new WriteBackBackend(clock, journal, chain, persister, stamped, isFit, inner, {
    whenFull: 'through',
    hasCopies: () => true,
    isBack: () => true,
    barrierMs: 20_000,
    settleMs: 50,
    minPartSizeBytes: 5,
    ...options.backend,
  });
  return {
    backend,
    journal,
    chain,
    persister,
    results,
    close: async () => {
      await backend.close();
      await journal.close();
      if (!options.path) await rm(path, { recursive: true, force: true });
    },
  };
}
