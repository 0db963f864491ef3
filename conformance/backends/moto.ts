import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../../scripts/run-command.ts';
import { answers, ChildServer } from '../child-server.ts';
import { freePorts } from '../free-ports.ts';
import { makeS3Place, NotInstallable, type StorageServer } from './storage-server.ts';

const withPython = join(import.meta.dirname, '../../scripts/with-python.sh');

/** moto's server, which keeps everything in memory and checks neither signatures nor checksums. */
export async function startMoto(): Promise<StorageServer> {
  if ((await runCommand('python3', ['-c', 'import venv, ensurepip'])).code !== 0) {
    throw new NotInstallable('python3 with venv is not installed');
  }
  const env = { ...process.env, PACKAGES: 'moto' };
  const install = await runCommand('sh', [withPython, '-c', ''], { env });
  if (install.code !== 0) throw new Error(install.output);
  const folder = await mkdtemp(join(tmpdir(), 'forebay-moto-'));
  const [port = 0] = await freePorts(1);
  const server = await ChildServer.start({
    name: 'moto',
    command: 'sh',
    args: [withPython, join(import.meta.dirname, 'moto/serve.py'), String(port)],
    cwd: folder,
    env,
    logFile: join(folder, 'log'),
    readyTimeoutMs: 60_000,
    stopTimeoutMs: 10_000,
    isReady: () => answers(`http://127.0.0.1:${port}/moto-api/`),
  });
  const s3 = { port, accessKeyId: 'MOTOKEY', secretAccessKey: 'moto/secret' };
  return {
    name: 'moto',
    s3,
    makePlace: (name) => makeS3Place(s3, name),
    logTail: () => server.logTail(),
    stop: async () => {
      try {
        await server.stop();
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}
