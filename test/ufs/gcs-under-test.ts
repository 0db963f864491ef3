import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import { type GcsBackend, type GcsOpenSettings, openGcsBackend } from '../../src/ufs/gcs.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { GcsStub } from '../support/gcs-stub.ts';

export const everything = {
  conditionalCreate: true,
  conditionalPut: true,
  conditionalCompleteCreate: true,
  conditionalComplete: true,
  conditionalCopy: true,
  conditionalDelete: true,
  checksumTrailers: true,
  signedChunks: true,
  metadataOnGet: false,
  tagging: true,
};

/** Bodies in small pieces, so that tests of large ones are quick. */
export const smallPieces = { pieceBytes: 262_144, smallBodyBytes: 65_536 };

/** Keys that no bucket can hold ("About Cloud Storage objects", naming requirements), and Forebay's own. */
export const refusedKeys = [
  'line\nbreak',
  'line\rbreak',
  'x'.repeat(1_025),
  '.forebay/x',
  '.forebay/uploads/',
];

export function holds(key: string): boolean {
  return !/[\r\n]/.test(key) && Buffer.byteLength(`in/${key}`) <= 1_024 && !key.startsWith('.forebay/');
}

/** A backend over a proxy that makes faults, over a strict stub. */
export interface GcsUnderTest {
  readonly backend: GcsBackend;
  readonly proxy: FaultProxy;
  readonly stub: GcsStub;
  /** One more backend over the same. */
  open(settings?: Partial<GcsOpenSettings>): GcsBackend;
  /** Names of what is hidden and is no open upload. */
  hidden(): Promise<string[]>;
  close(): Promise<void>;
}

export async function startGcs(settings: Partial<GcsOpenSettings> = {}): Promise<GcsUnderTest> {
  const stub = await GcsStub.start();
  const proxy = await FaultProxy.start(stub.port);
  const opened: GcsBackend[] = [];
  const open = (more: Partial<GcsOpenSettings> = {}) => {
    const one = openGcsBackend(systemClock, systemRandom, {
      uri: 'gs://bucket/in/',
      endpoint: `http://127.0.0.1:${proxy.port}`,
      abilities: everything,
      minPartSizeBytes: 5,
      ...settings,
      ...more,
      tuning: { ...smallPieces, ...settings.tuning, ...more.tuning },
    });
    opened.push(one);
    return one;
  };
  const backend = open();
  return {
    backend,
    proxy,
    stub,
    open,
    hidden: async () => {
      for (const one of opened) await one.idle();
      const names = [...stub.store.objects.keys()].filter((name) => name.startsWith('in/.forebay/'));
      const isOpen = (name: string) =>
        names.some((other) => name.startsWith(other.replace(/\/upload$/, '/')) && other.endsWith('/upload'));
      return names.filter((name) => !isOpen(name));
    },
    close: async () => {
      for (const one of opened) await one.close();
      await proxy.close();
      await stub.close();
    },
  };
}

/** The `UfsError` that a call rejects with; fails if it succeeds, and passes other errors on. */
export async function failureOf(call: Promise<unknown>): Promise<UfsError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof UfsError) return error;
  throw error ?? new Error('the call was expected to fail');
}

/** Retries without waiting, and lost changes that stay open for the length of a test. */
export const hasty = { retry: { attempts: 4, baseMs: 1, capMs: 5 }, settlingMs: 60_000, maxHoldMs: 0 };
