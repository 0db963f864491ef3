import { startNode } from '../../conformance/harness.ts';
import type { Fuzzer } from '../lib/fuzzer.ts';
import { S3Side } from '../lib/s3-side.ts';
import { ListRun } from './list-run.ts';

const bucket = 'fuzz-lists';

export const listFuzzers: readonly Fuzzer[] = [
  {
    name: 'lists',
    title: 'lists beside a model',
    open: async () => {
      const node = await startNode();
      const side = new S3Side({ ...node, port: node.s3Port });
      const made = await side.send({ method: 'PUT', path: `/${bucket}` });
      if (made.status !== 200) throw new Error(`the bucket was not made: ${made.status}`);
      return new ListRun(side, bucket, () => node.stop());
    },
  },
];
