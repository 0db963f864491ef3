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
  const others = i % 4 === 0 ? (i * 31) % stable : stable + ((i * 31) % (churned - stable));
  const number = i % 2 === 0 ? 0 : others;
  const word = mix(number + 1);
  const hash: PageHash = [word, number, mix(word ^ 7), mix(word ^ 11)];
  const place = table.find(hash);
  counts.looked++;
  if (!place) {
    // One that moves all the time may look changed each time that it is looked at.
    if (number < stable && number !== 0) counts.missed++;
    continue;
  }
  if (number >= stable) counts.found++;
  if (i % 16 === 1) table.touch(place.entry);
  if (number === 0) {
    if (place.offset !== place.region * 8) counts.wrong++;
    continue;
  }
  const right =
    place.offset === (word >>> 4) * 8 &&
    place.pageBytes === number * 3 &&
    place.region === 1 + (number % 1000);
  if (!right) counts.wrong++;
}
parentPort?.postMessage(counts);
