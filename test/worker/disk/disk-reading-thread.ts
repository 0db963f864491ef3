/** A thread that reads pages of a store from the disk by itself, while the store's own thread writes and makes room. */
import { parentPort, workerData } from 'node:worker_threads';
import { NodeFileSystem } from '../../../src/ufs/node-file-system.ts';
import { PageTable } from '../../../src/worker/disk/page-table.ts';
import { RegionFiles } from '../../../src/worker/disk/region-files.ts';
import { DiskPageReader } from '../../../src/worker/disk-page-reader.ts';
import { churnKey, churnKeys, isChurnPage, lengthOf } from '../churn-pages.ts';

const { memory, paths, flag } = workerData as {
  memory: SharedArrayBuffer;
  paths: readonly string[];
  /** 1: stop. */
  flag: SharedArrayBuffer;
};
const files = new RegionFiles(new NodeFileSystem(), paths, 2);
const reader = new DiskPageReader(files, new PageTable(memory));
const flags = new Int32Array(flag);
const counts = { found: 0, wrong: 0, absent: 0 };
for (let i = 0; Atomics.load(flags, 0) === 0; i++) {
  const number = i % churnKeys;
  const bytes = await reader.read(churnKey(number), 0, lengthOf(number));
  if (!bytes) counts.absent++;
  else if (isChurnPage(number, bytes)) counts.found++;
  else counts.wrong++;
}
files.closeAll();
parentPort?.postMessage(counts);
