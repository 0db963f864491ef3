import { join } from 'node:path';
import { answers, ChildServer } from '../../conformance/child-server.ts';
import { S3Side } from '../../fuzz/lib/s3-side.ts';
import type { ClusterPlan } from './cluster-folder.ts';
import { plainEnvironment } from './environment.ts';
import { steadyPorts } from './steady-ports.ts';

const program = join(import.meta.dirname, '../../src/cli/main.ts');
/** On a machine that does something else at the same time. */
const readyTimeoutMs = 60_000;

/** The bucket in it that nodes keep everything in. */
export const storageBucket = 'under';

/**
 * The storage behind the nodes: a Forebay of its own over its own folder, which decides about conditions atomically. Resolves when
 * it is ready and has the bucket. Rejects if its port is taken. Its admin port is any, unless one is wanted.
 */
export async function startStorage(plan: ClusterPlan, wantedAdminPort?: number): Promise<ChildServer> {
  const adminPort = wantedAdminPort ?? (await steadyPorts(1))[0] ?? 0;
  const server = await ChildServer.start({
    name: 'the storage',
    command: process.execPath,
    args: [program, 'serve'],
    cwd: plan.folder,
    env: {
      ...plainEnvironment(),
      FOREBAY_DATA: join(plan.folder, 'storage'),
      FOREBAY_S3_PORT: String(plan.storagePort),
      FOREBAY_ADMIN_PORT: String(adminPort),
      FOREBAY_IO_THREADS: '1',
      // Pages would only be copies of the files beside them.
      FOREBAY_CACHE_DISK: '0',
      FOREBAY_LOG_LEVEL: 'warn',
      FOREBAY_ROOT_ACCESS_KEY_ID: plan.storage.accessKeyId,
      FOREBAY_ROOT_SECRET_ACCESS_KEY: plan.storage.secretAccessKey,
    },
    logFile: join(plan.folder, 'storage.log'),
    readyTimeoutMs,
    stopTimeoutMs: 5_000,
    isReady: () => answers(`http://127.0.0.1:${adminPort}/readyz`, 200),
  });
  const side = new S3Side({ port: plan.storagePort, ...plan.storage });
  try {
    const { status, body } = await side.send({ method: 'PUT', path: `/${storageBucket}` });
    if (status !== 200 && !body.includes('BucketAlreadyOwnedByYou')) {
      throw new Error(`the storage makes no bucket: ${status} ${body}`);
    }
  } catch (error) {
    await server.stop();
    throw error;
  } finally {
    side.close();
  }
  return server;
}
