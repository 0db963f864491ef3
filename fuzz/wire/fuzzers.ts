import { startNode } from '../../conformance/harness.ts';
import type { Fuzzer } from '../lib/fuzzer.ts';
import { S3Side } from '../lib/s3-side.ts';
import { BodyRun } from './body-run.ts';
import { WireRun } from './wire-run.ts';

const bucket = 'fuzz-bodies';

export const wireFuzzers: readonly Fuzzer[] = [
  {
    name: 'wire',
    title: 'spoilt requests on raw connections',
    open: async () => WireRun.open(await startNode()),
  },
  {
    name: 'bodies',
    title: 'spoilt documents in signed requests',
    open: async () => {
      const node = await startNode();
      const side = new S3Side({ ...node, port: node.s3Port });
      await side.send({ method: 'PUT', path: `/${bucket}` });
      await side.send({ method: 'PUT', path: `/${bucket}/kept`, body: 'kept' });
      return new BodyRun(side, bucket, () => node.stop());
    },
  },
];
