import { setTimeout as sleep } from 'node:timers/promises';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { Keys } from '../chaos/cluster/cluster-folder.ts';
import type { NodeProcess } from '../chaos/cluster/node-process.ts';
import type { HdfsStorage } from '../conformance/backends/hdfs.ts';

const keyCount = 30;
const patienceMs = 300_000;

interface Place {
  readonly bucket: string;
  /** The folder in the bucket, with a slash at its end, that is a mount of the directory `directory` of HDFS. */
  readonly prefix: string;
  readonly directory: string;
}

/**
 * Nodes that stand still, go on and are killed, over a mount of HDFS: what a node stood still in is fenced off by whoever owns it then, and it
 * goes on in another folder; every acknowledged write is there. Rejects with what is wrong.
 */
export async function checkFences(
  nodes: readonly NodeProcess[],
  keys: Keys,
  hdfs: HdfsStorage,
  { bucket, prefix, directory }: Place,
): Promise<void> {
  const clients = nodes.map(
    ({ s3Url }) =>
      new S3Client({
        endpoint: s3Url,
        region: 'us-east-1',
        forcePathStyle: true,
        maxAttempts: 1,
        credentials: { ...keys },
      }),
  );
  const nameOf = (index: number) => `${prefix}fenced/${index}`;
  /** Writes every key by one of these nodes, as often as it takes. */
  const writeAll = async (by: readonly number[], text: string) => {
    const untilMs = performance.now() + patienceMs;
    const write = async (index: number) => {
      const client = clients[by[index % by.length] as number];
      for (;;) {
        try {
          const put = { Bucket: bucket, Key: nameOf(index), Body: `${text} ${index}` };
          await client?.send(new PutObjectCommand(put), { abortSignal: AbortSignal.timeout(20_000) });
          return;
        } catch (error) {
          if (performance.now() > untilMs) throw error;
          await sleep(300);
        }
      }
    };
    await Promise.all(Array.from({ length: keyCount }, (_, index) => write(index)));
  };
  const expectAll = async (by: number, text: string) => {
    for (let index = 0; index < keyCount; index++) {
      const answer = await clients[by]?.send(new GetObjectCommand({ Bucket: bucket, Key: nameOf(index) }));
      const found = await answer?.Body?.transformToString();
      if (found !== `${text} ${index}`) throw new Error(`${nameOf(index)} is ${found}, not ${text} ${index}`);
    }
  };
  /** How many folders were fenced off by now, and how many are in use. */
  const folders = async () => {
    const entries = await hdfs.entries(`/${directory}/.forebay`);
    const named = entries.filter(({ name }) => /^[0-9a-f-]{36}\.[0-9a-f]{8}\.\d+$/.test(name));
    const fenced = named.filter(({ isFile }) => isFile).length;
    return { fenced, used: named.length - fenced };
  };
  try {
    await writeAll([0, 1, 2], 'first');
    const before = await folders();
    if (before.used < nodes.length) throw new Error(`${before.used} folders are in use, of three nodes`);
    nodes[2]?.pause();
    try {
      await writeAll([0, 1], 'second');
      const { fenced } = await folders();
      if (fenced <= before.fenced) throw new Error('a node that stood still was not fenced off');
    } finally {
      nodes[2]?.resume();
    }
    await expectAll(0, 'second');
    await writeAll([2], 'third');
    await expectAll(1, 'third');
    const after = await folders();
    await nodes[1]?.kill();
    await writeAll([0, 2], 'fourth');
    if ((await folders()).fenced <= after.fenced)
      throw new Error('a node that was killed was not fenced off');
    await expectAll(2, 'fourth');
  } finally {
    for (const client of clients) client.destroy();
  }
}
