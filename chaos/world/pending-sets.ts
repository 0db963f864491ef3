import { setTimeout as sleep } from 'node:timers/promises';
import { answers } from '../../conformance/child-server.ts';
import { run } from '../../src/cli/run.ts';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import { EtcdStore } from '../../src/coord/etcd.ts';
import { CoordError } from '../../src/coord/store.ts';
import { isClosed, type SetRecord, setsPrefix } from '../../src/pending/sets/set-record.ts';
import { storageBucket } from '../cluster/storage-process.ts';
import type { World } from './world.ts';
import type { WorldNode } from './world-node.ts';

const lookEveryMs = 500;
/** A node that has just been told of a view says again within this time what it keeps. */
const steadyMs = 1_500;
const flushWithinMs = 120_000;

/** Mounts the bucket whose writes are acknowledged before the storage has them. Rejects if a node does not take it. */
export async function mountBack(world: World, bucket: string): Promise<void> {
  const { storage } = world.plan;
  const key = `--access-key-id ${storage.accessKeyId} --secret-access-key-env SECRET`;
  const where = `s3://${storageBucket}/${bucket}/ --endpoint http://127.0.0.1:${world.storage.port} --path-style`;
  const [node] = world.members;
  if (!node) throw new Error('there is no node to mount anything at');
  await cli(world, node, `mount add ${bucket} ${where} ${key} --write-mode back --copies 2`);
}

/** Resolves when nothing is pending any more; with what is wrong if that does not come about. */
export async function flushed(world: World, bucket: string): Promise<string | undefined> {
  const untilMs = Date.now() + flushWithinMs;
  let said = '';
  for (;;) {
    const [node] = world.members;
    said = node ? await cli(world, node, `pending flush ${bucket}`).catch(String) : 'there is no node';
    if (/"entries":\s*0\b/.test(said)) return undefined;
    if (Date.now() > untilMs) return `not all that is pending reaches the storage: ${said}`;
    await sleep(lookEveryMs);
  }
}

/** Whether every write that is pending lies on two nodes that run, by what etcd says. */
export async function areOnTwoNodes(world: World): Promise<boolean> {
  for (let look = 0; look < 2; look++) {
    if (look > 0) await sleep(steadyMs);
    if (!(await areAtPresent(world))) return false;
  }
  return true;
}

async function areAtPresent({ etcd, members }: World): Promise<boolean> {
  const ids = new Set<string>();
  for (const { process: node } of members) {
    if (!(await answers(`${node.adminUrl}/readyz`, 200).catch(() => false))) return false;
    ids.add(await node.nodeId());
  }
  const settings = { endpoints: [etcd.url], clusterName: 'forebay', timeoutMs: 2_000, pulseMs: 1_000 };
  const store = new EtcdStore(systemClock, systemRandom, silentLog(), settings);
  try {
    const { entries } = await store.list(setsPrefix);
    const open = entries.map(({ value }) => JSON.parse(value) as SetRecord).filter((one) => !isClosed(one));
    return open.every(({ copies }) => copies.length > 1 && copies.every(({ workerId }) => ids.has(workerId)));
  } catch (error) {
    if (error instanceof CoordError) return false;
    throw error;
  } finally {
    await store.close();
  }
}

async function cli(world: World, { process: node }: WorldNode, line: string): Promise<string> {
  let said = '';
  const print = (text: string) => {
    said += text;
  };
  const environment = {
    FOREBAY_ADMIN_URL: node.adminUrl,
    AWS_ACCESS_KEY_ID: world.plan.root.accessKeyId,
    AWS_SECRET_ACCESS_KEY: world.plan.root.secretAccessKey,
    SECRET: world.plan.storage.secretAccessKey,
  };
  const words = [...line.split(' '), '--json'];
  if ((await run(words, { environment, print, printError: print })) === 0) return said;
  throw new Error(`${line}: ${said}`);
}
