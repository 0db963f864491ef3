import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answers, ChildServer } from '../child-server.ts';
import { freePorts } from '../free-ports.ts';
import { installByMaven } from '../maven.ts';
import { makeS3Place, type S3Access, type StorageServer } from './storage-server.ts';

const sources = join(import.meta.dirname, 's3proxy');

/** S3Proxy, which checks every SigV4 signature, over an empty folder. */
export async function startS3Proxy(): Promise<StorageServer> {
  const jars = join(await installByMaven({ name: 's3proxy', sources, phase: 'package' }), 'jars');
  const folder = await mkdtemp(join(tmpdir(), 'forebay-s3proxy-'));
  const [port = 0] = await freePorts(1);
  const s3: S3Access = { port, accessKeyId: 'S3PROXYKEY', secretAccessKey: 's3proxy/secret+key' };
  await mkdir(join(folder, 'objects'));
  const properties = {
    's3proxy.endpoint': `http://127.0.0.1:${port}`,
    's3proxy.authorization': 'aws-v4',
    's3proxy.identity': s3.accessKeyId,
    's3proxy.credential': s3.secretAccessKey,
    'jclouds.provider': 'filesystem-nio2',
    'jclouds.filesystem.basedir': join(folder, 'objects'),
  };
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(join(folder, 's3proxy.properties'), lines.join(''));
  const server = await ChildServer.start({
    name: 'S3Proxy',
    command: 'java',
    args: [
      ...['-Xmx512m', `-Dlogback.configurationFile=${join(sources, 'logback.xml')}`, '-cp', join(jars, '*')],
      ...['org.gaul.s3proxy.Main', '--properties', join(folder, 's3proxy.properties')],
    ],
    cwd: folder,
    env: process.env,
    logFile: join(folder, 'log'),
    readyTimeoutMs: 60_000,
    stopTimeoutMs: 10_000,
    isReady: () => answers(`http://127.0.0.1:${port}/`),
  });
  return {
    name: 's3proxy',
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
