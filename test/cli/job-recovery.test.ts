import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { NodeProcess } from '../../chaos/cluster/node-process.ts';
import { complaintsOf, jobsToTheEnd, jobUntil, type Victim, victimOf } from '../../chaos/jobs/kills.ts';
import { LoadedCluster, type SeenJob } from '../../chaos/jobs/loaded-cluster.ts';
import { run } from '../../src/cli/run.ts';
import { describeOverEtcd } from '../support/etcd-server.ts';
import { until } from '../support/until.ts';

const patienceMs = 240_000;
const root = { accessKeyId: 'AKIDLOADING', secretAccessKey: 'secret-of-the-loading-cluster' };
// So many parts that one node cannot take them all.
const set = { small: 3_500, smallBytes: 2048, large: 2, largeBytes: 2_500_000 };
const environment = { FOREBAY_IO_THREADS: '1', FOREBAY_CACHE_DISK: '1GiB' };

/** A command that waits for the job it has begun. */
class Watched {
  readonly node: NodeProcess;
  private readonly lines: string[] = [];
  private readonly exitCode: Promise<number>;

  constructor(loaded: LoadedCluster, line: string) {
    this.node = loaded.other();
    const { accessKeyId, secretAccessKey } = loaded.cluster.plan.root;
    const environment = {
      FOREBAY_ADMIN_URL: this.node.adminUrl,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    };
    const print = (text: string) => this.lines.push(text);
    this.exitCode = run(line.split(' '), { environment, print, printError: print });
  }

  async id(): Promise<string> {
    await until(() => this.lines.length > 0);
    return (JSON.parse(this.lines[0] as string) as SeenJob).id;
  }

  /** The exit code, and what it printed last. */
  async end(): Promise<[number, unknown]> {
    const exitCode = await this.exitCode;
    return [exitCode, JSON.parse(this.lines.at(-1) as string)];
  }
}

await describeOverEtcd('a load over three processes', () => {
  let folder: string;
  let loaded: LoadedCluster;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'forebay-loaded-'));
    loaded = await LoadedCluster.start(folder, 3, root, set, environment);
  }, patienceMs);
  afterAll(async () => {
    await loaded?.close();
    await rm(folder, { recursive: true, force: true });
  }, patienceMs);

  test.each(['coordinator', 'worker'] as const)(
    'whose %s is killed midway ends complete, and its counts are exact',
    async (victim: Victim) => {
      // So slow that there is a midway.
      const watched = new Watched(loaded, `load ${loaded.target} --bandwidth 512KiB --json`);
      const id = await watched.id();
      let node: NodeProcess | undefined;
      const job = await jobUntil(loaded, id, async (seen) => {
        node = await victimOf(loaded, seen, victim);
        return node !== undefined && seen.objects.loaded >= 100;
      });
      expect(job?.objects.loaded).toBeLessThan(loaded.objects);
      await node?.kill();
      // Who waits at the very node that is killed waits for it to come back.
      if (node === watched.node) await node?.start();
      const [ended] = await jobsToTheEnd(loaded, id);
      expect(ended && complaintsOf(loaded, ended)).toEqual([]);
      // What the dead one had loaded and not told of is all that is found there.
      expect(ended?.objects.loaded).toBeGreaterThan(0);
      expect(await watched.end()).toEqual([
        0,
        expect.objectContaining({ id, state: 'succeeded', objects: ended?.objects }),
      ]);
      if (!node?.isAlive) await node?.start();
      const [freed] = await jobsToTheEnd(loaded, await loaded.begin(`free ${loaded.target}`));
      expect(freed).toMatchObject({ state: 'succeeded', objects: { failed: 0 } });
    },
    patienceMs,
  );
});
