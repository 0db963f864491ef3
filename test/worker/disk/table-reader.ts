/** A thread that looks pages up in a table while another one changes it. */
import { parentPort, workerData } from 'node:worker_threads';
import { mix, type PageHash } from '../../../src/worker/disk/page-hash.ts';
import { PageTable } from '../../../src/worker/disk/page-table.ts';

const { memory, flag, stable, churned } = workerData as {
  memory: SharedArrayBuffer;
  /** 1: stop. */
  flag: SharedArrayBuffer;
  stable: number;
  churned: number;
};
const flags = new Int32Array(flag);
const table = new PageTable(memory);
const counts = { missed: 0, wrong: 0, looked: 0, found: 0 };
for (let i = 0; Atomics.load(flags, 0) === 0 || counts.looked < 2000; i++) {
  const number = i % 2 === 0 ? (i * 31) % stable : stable + ((i * 31) % (churned - stable));
  const word = mix(number + 1);
  const hash: PageHash = [word, number, mix(word ^ 7), mix(word ^ 11)];
  const place = table.find(hash);
  counts.looked++;
  if (!place) {
    if (number < stable) counts.missed++;
    continue;
  }
  if (number >= stable) counts.found++;
  table.touch(place.entry);
  const right =
    place.offset === (word >>> 4) * 8 &&
    place.pageBytes === number * 3 &&
    place.region === 1 + (number % 1000);
  if (!right) counts.wrong++;
}
parentPort?.postMessage(counts);
