/** A thread that reads a shared cache as fast as it can while another one writes, and checks every byte that it is given. */
import { parentPort, workerData } from 'node:worker_threads';
import { Loans } from '../../src/worker/loans.ts';
import type { SharedCacheMemory } from '../../src/worker/shared-cache-memory.ts';
import { SharedPageReader } from '../../src/worker/shared-page-reader.ts';
import { churnKey, churnKeys, isChurnPage, lengthOf } from './churn-pages.ts';

const { memory, thread, flag } = workerData as {
  memory: SharedCacheMemory;
  thread: number;
  /** The first number is 1 when it is to stop; that of this thread is 1 when it has both copied and borrowed. */
  flag: SharedArrayBuffer;
};
const flags = new Int32Array(flag);
const reader = SharedPageReader.of(memory, thread);
const found = { copied: 0, lent: 0, wrong: 0 };
/** Lent bytes are looked at again later: by then the writer has gone round the arena. */
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
  if (found.copied > 0 && found.lent > 0) Atomics.store(flags, thread, 1);
  if (kept.length > 5) {
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
