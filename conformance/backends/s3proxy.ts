import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../../scripts/run-command.ts';
import { answers, ChildServer } from '../child-server.ts';
import { freePorts } from '../free-ports.ts';
import { NotInstallable, type StorageServer } from './storage-server.ts';

const root = join(import.meta.dirname, '../..');
const sources = join(import.meta.dirname, 's3proxy');
const installed = join(root, '.cache/s3proxy');

/** The jars of `s3proxy/pom.xml`, fetched once. */
async function install(): Promise<string> {
  const jars = join(installed, 'jars');
  const wanted = await readFile(join(sources, 'pom.xml'), 'utf8');
  const present = await readFile(join(installed, 'pom.xml'), 'utf8').catch(() => undefined);
  if (present === wanted) return jars;
  for (const program of ['java', 'mvn']) {
    const { code } = await runCommand(program, ['-version']);
    if (code !== 0) throw new NotInstallable(`${program} is not installed`);
  }
  const stage = `${installed}.${process.pid}`;
  await rm(stage, { recursive: true, force: true });
  await mkdir(stage, { recursive: true });
  const { code, output } = await runCommand(
    'mvn',
    ['-B', '-q', '-f', join(sources, 'pom.xml'), `-Djars=${join(stage, 'jars')}`, 'package'],
    { timeoutMs: 300_000 },
  );
  if (code !== 0) throw new Error(`the jars of S3Proxy could not be fetched\n${output}`);
  await cp(join(sources, 'pom.xml'), join(stage, 'pom.xml'));
  await rm(installed, { recursive: true, force: true });
  await rename(stage, installed);
  return jars;
}

/** S3Proxy, which checks every SigV4 signature, over an empty folder. */
export async function startS3Proxy(): Promise<StorageServer> {
  const jars = await install();
  const folder = await mkdtemp(join(tmpdir(), 'forebay-s3proxy-'));
  const [port = 0] = await freePorts(1);
  const accessKeyId = 'S3PROXYKEY';
  const secretAccessKey = 's3proxy/secret+key';
  await mkdir(join(folder, 'objects'));
  const properties = {
    's3proxy.endpoint': `http://127.0.0.1:${port}`,
    's3proxy.authorization': 'aws-v4',
    's3proxy.identity': accessKeyId,
    's3proxy.credential': secretAccessKey,
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
    port,
    accessKeyId,
    secretAccessKey,
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
