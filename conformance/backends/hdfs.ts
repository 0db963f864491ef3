import { findHdfs, HdfsCluster } from './hdfs-cluster.ts';
import { NotInstallable, type StorageServer } from './storage-server.ts';

/** One that takes many empty objects quickly. */
export interface HdfsStorage extends StorageServer {
  fill(place: string, keys: readonly string[]): Promise<void>;
  /** What lies in a directory. */
  entries(path: string): Promise<readonly { readonly name: string; readonly isFile: boolean }[]>;
}

/** A NameNode and a DataNode with blocks and pages of lists as large as they are by default. */
export async function startHdfs(): Promise<HdfsStorage> {
  const found = await findHdfs();
  if ('missing' in found) throw new NotInstallable(found.missing);
  const cluster = await HdfsCluster.start(found.jars, {
    'dfs.blocksize': '134217728',
    'dfs.ls.limit': '1000',
  });
  const options = ['--endpoint', cluster.endpoint, '--user', cluster.user];
  return {
    name: 'hdfs',
    makePlace: async (name) => {
      await cluster.makeDirectory(`/${name}`);
      return { uri: `hdfs://127.0.0.1/${name}`, options };
    },
    fill: (name, keys) => cluster.fill(keys.map((key) => `/${name}/${key}`)),
    entries: (path) => cluster.entries(path),
    logTail: () => cluster.log(),
    stop: () => cluster.stop(),
  };
}
