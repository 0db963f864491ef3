import { expect, test } from '@jest/globals';
import type { FileStatus } from '../../src/ufs/file-system.ts';
import { VersionClock } from '../../src/ufs/version-clock.ts';
import { ManualClock } from '../worker/manual-clock.ts';

const localDev = 7n;
const second = 1_000_000_000n;

function statusOf(ctimeNs: bigint, dev = localDev): FileStatus {
  const rest = { ino: 1n, sizeBytes: 4, mode: 0o644n, uid: 0n, gid: 0n, linkCount: 1n };
  return { kind: 'file', dev, mtimeNs: ctimeNs, ctimeNs, ...rest };
}

const nsOf = (ms: number) => BigInt(ms) * 1_000_000n;

/** After how many milliseconds a version whose ctime is this, and which is looked at all the time, is settled. */
async function settledAfterMs(
  clock: ManualClock,
  versions: VersionClock,
  status: FileStatus,
): Promise<number> {
  for (let ms = 0; ms <= 10_000; ms += 10) {
    if (versions.isSettled(status, 'g')) return ms;
    await clock.pass(10);
  }
  return Number.POSITIVE_INFINITY;
}

test.each<[string, bigint, number, number]>([
  ['in nanoseconds', 123_456_789n, 0, 100],
  ['in steps of 10 ms', 120_000_000n, 10, 100],
  ['in steps of 100 ms', 300_000_000n, 100, 200],
  ['in steps of one second', second, 1_000, 1_100],
  ['in steps of two seconds', 0n, 2_000, 2_100],
])(
  'where time is counted %s, a version is settled when the next change must have another time',
  async (_, offsetNs, leastMs, mostMs) => {
    const clock = new ManualClock();
    const ctimeNs = 1_700_000_000n * second + offsetNs;
    clock.wallMs = Number(ctimeNs / 1_000_000n) + 1;
    const after = await settledAfterMs(clock, new VersionClock(clock, localDev), statusOf(ctimeNs));
    expect(after).toBeGreaterThan(leastMs);
    expect(after).toBeLessThanOrEqual(mostMs);
  },
);

test.each([
  ['behind', -30_000],
  ['ahead', 30_000],
])(
  'on a server whose clock is %s a version is settled when it has been there for long enough since it was seen',
  async (_, skewMs) => {
    const clock = new ManualClock();
    const versions = new VersionClock(clock, localDev);
    const fresh = statusOf(nsOf(clock.nowMs() + skewMs) + 1n, 8n);
    const after = await settledAfterMs(clock, versions, fresh);
    expect(after).toBeGreaterThan(0);
    expect(after).toBeLessThanOrEqual(100);
  },
);

test('on a server an old version is settled at the first look, and what is remembered of others is bounded', async () => {
  const clock = new ManualClock();
  const versions = new VersionClock(clock, undefined);
  expect(versions.isSettled(statusOf(nsOf(clock.nowMs() - 2 * 86_400_000) + 1n), 'old')).toBe(true);
  const fresh = statusOf(nsOf(clock.nowMs()) + 1n);
  for (let i = 0; i < 20_000; i++) expect(versions.isSettled(fresh, `g${i}`)).toBe(false);
  await clock.pass(1_000);
  expect(versions.isSettled(fresh, 'g19999')).toBe(true);
  expect(versions.isSettled(fresh, 'g0')).toBe(false);
});

test('a version of this machine that seems to come from the future is not settled', () => {
  const clock = new ManualClock();
  const versions = new VersionClock(clock, localDev);
  expect(versions.isSettled(statusOf(nsOf(clock.nowMs() + 3_600_000) + 1n), 'g')).toBe(false);
});
