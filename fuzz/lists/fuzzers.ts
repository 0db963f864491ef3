import { startNode } from '../../conformance/harness.ts';
import type { Fuzzer } from '../lib/fuzzer.ts';
import { S3Side } from '../lib/s3-side.ts';
import { ListRun } from './list-run.ts';
import { VersionRun } from './version-run.ts';

const bucket = 'fuzz-lists';
const enabled = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>';

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
  {
    name: 'versions',
    title: 'lists of versions beside a model',
    open: async () => {
      const node = await startNode();
      const side = new S3Side({ ...node, port: node.s3Port });
      await side.send({ method: 'PUT', path: `/${bucket}` });
      const set = await side.send({
        method: 'PUT',
        path: `/${bucket}`,
        query: [['versioning', '']],
        body: enabled,
      });
      if (set.status !== 200) throw new Error(`versioning was not enabled: ${set.status}`);
      return new VersionRun(side, bucket, () => node.stop());
    },
  },
];
