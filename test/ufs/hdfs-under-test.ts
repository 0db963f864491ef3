import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { type HdfsBackend, type HdfsOpenSettings, openHdfsBackend } from '../../src/ufs/hdfs.ts';
import { HdfsClient } from '../../src/ufs/hdfs-client.ts';
import { HdfsConnection } from '../../src/ufs/hdfs-connection.ts';
import { defaultHdfsTuning } from '../../src/ufs/hdfs-settings.ts';
import { HttpExchange } from '../../src/ufs/http-exchange.ts';
import { unprobed } from '../../src/ufs/s3-settings.ts';
import type { BackendUnderTest } from '../contracts/backend.ts';
import type { HdfsCluster } from '../support/hdfs-cluster.ts';

/** What a probe finds of a NameNode; `hdfs-probe` sees to it that it does. */
export const nameNodeAbilities = {
  ...unprobed,
  conditionalCreate: true,
  conditionalCompleteCreate: true,
  metadataOnGet: false,
  tagging: true,
};

let folders = 0;

/** WebHDFS's calls as they are, made beside the backend. */
export function clientOf(endpoint: string, user: string): HdfsClient {
  const tuning = { ...defaultHdfsTuning, retry: { attempts: 1, baseMs: 1, capMs: 1 } };
  const exchange = new HttpExchange(systemClock, tuning);
  const origins = [new URL(endpoint)];
  const settings = { uri: 'hdfs://beside/', origins, identity: { user }, tuning };
  return new HdfsClient(new HdfsConnection(systemClock, systemRandom, exchange, settings));
}

export interface HdfsUnderTest extends BackendUnderTest {
  readonly backend: HdfsBackend;
  readonly client: HdfsClient;
  /** The path of the mount's directory. */
  readonly root: string;
}

/** A backend over an empty directory of its own; `endpoint` if it is not to ask the NameNode itself. */
export async function openHdfs(
  cluster: HdfsCluster,
  settings: Partial<HdfsOpenSettings> = {},
): Promise<HdfsUnderTest> {
  const { user, endpoint } = cluster;
  const client = clientOf(endpoint, user);
  const root = `/mount-${process.pid}-${folders++}`;
  await client.makeDirectory(root);
  const backend = openHdfsBackend(systemClock, systemRandom, {
    uri: `hdfs://127.0.0.1${root}/`,
    endpoint,
    user,
    abilities: nameNodeAbilities,
    minPartSizeBytes: 5,
    ...settings,
  });
  return {
    backend,
    client,
    root,
    leftovers: async () => {
      await backend.idle();
      const left: string[] = [];
      for (const folder of await namesIn(client, `${root}/.forebay`)) {
        // A file stands where a folder was fenced off.
        const isFile = (await client.status(`${root}/.forebay/${folder}`)).type === 'FILE';
        if (folder === 'uploads' || isFile) continue;
        const names = await namesIn(client, `${root}/.forebay/${folder}`);
        left.push(...names.map((name) => `${folder}/${name}`));
      }
      return left;
    },
    greatestMetadata: Object.fromEntries(Array.from({ length: 24 }, (_, i) => [`n${i}`, '€'.repeat(200)])),
    close: async () => {
      await backend.close();
      await client.remove(root, { recursive: true });
      client.connection.close();
    },
  };
}

async function namesIn(client: HdfsClient, path: string): Promise<string[]> {
  const names: string[] = [];
  if (!(await client.find(path))) return names;
  for (let after: string | undefined; ; ) {
    const { entries, hasMore } = await client.list(path, after);
    names.push(...entries.map(({ pathSuffix }) => pathSuffix));
    after = names.at(-1);
    if (!hasMore) return names;
  }
}
