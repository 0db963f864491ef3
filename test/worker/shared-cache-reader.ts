/** A thread that reads a shared cache as fast as it can while another one writes, and checks every byte that it is given. */
import { parentPort, workerData } from 'node:worker_threads';
import { Loans } from '../../src/worker/loans.ts';
import type { SharedCacheMemory } from '../../src/worker/shared-cache-memory.ts';
import { SharedPageReader } from '../../src/worker/shared-page-reader.ts';
import { churnKey, churnKeys, isChurnPage, lengthOf } from './churn-pages.ts';

const { memory, thread, flag } = workerData as {
  memory: SharedCacheMemory;
  thread: number;
  /** 1: stop. */
  flag: SharedArrayBuffer;
};
const flags = new Int32Array(flag);
const reader = SharedPageReader.of(memory, thread);
const found = { copied: 0, lent: 0, wrong: 0 };
/**
 * Lent bytes are looked at again later: by then the writer has gone round the arena. Two threads that kept all there is to lend between
 * them would wait for each other.
 */
const kept: { number: number; bytes: Buffer; loans: Loans }[] = [];

function check(number: number, bytes: Buffer): void {
  if (!isChurnPage(number, bytes)) found.wrong++;
}

for (let i = thread; Atomics.load(flags, 0) === 0; i += 7) {
  const number = i % churnKeys;
  const loans = new Loans();
  const bytes = reader.readNow(churnKey(number), 0, lengthOf(number), loans);
  if (!bytes) continue;
  check(number, bytes);
  if (loans.isEmpty) found.copied++;
  else {
    found.lent++;
    kept.push({ number, bytes, loans });
  }
  if (kept.length > 2) {
    const oldest = kept.shift();
    if (!oldest) break;
    check(oldest.number, oldest.bytes);
    oldest.loans.giveBack();
  }
}
for (const { number, bytes, loans } of kept) {
  check(number, bytes);
  loans.giveBack();
}
parentPort?.postMessage(found);
