import { join } from 'node:path';
import { runCommand } from '../scripts/run-command.ts';
import { makeBucket } from './backends/storage-server.ts';
import { installByMaven } from './maven.ts';

const sources = join(import.meta.dirname, 's3a');
/** Some minutes on a quiet machine. */
const timeoutMs = 5_400_000;
const bucketOfItsOwn = 's3a-tests';

/**
 * Runs the tests of Hadoop's S3A, all of them or those of the classes whose names match `only`; the reports are written into `reports`.
 * `env` says where the S3 is, see `Scene.environment`: without buckets that are there, one is made.
 */
export async function runS3a(reports: string, env: NodeJS.ProcessEnv, only = 'ITest*') {
  const work = await installS3a();
  const { S3_PORT: port = '', AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secret = '' } = env;
  const given = env.S3_BUCKETS?.split(' ')[0];
  if (!given) {
    const server = { port: Number(port), accessKeyId, secretAccessKey: secret };
    await makeBucket(server, bucketOfItsOwn);
  }
  const settings = {
    work,
    reports,
    scratch: join(reports, 'scratch'),
    tests: `**/${only}.java`,
    's3.endpoint': `http://127.0.0.1:${port}`,
    's3.bucket': given || bucketOfItsOwn,
    's3.key': accessKeyId,
    's3.secret': secret,
  };
  const properties = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`);
  const args = ['-B', '-f', join(sources, 'pom.xml'), ...properties, 'surefire:test'];
  return await runCommand('mvn', args, { env: mavenEnvironment(env), timeoutMs });
}

/** Fetches and compiles them below `.cache`, once: 730 MB. */
export function installS3a(): Promise<string> {
  return installByMaven({
    name: 's3a',
    sources,
    files: ['resources/auth-keys.xml'],
    phase: 'test-compile',
  });
}

/** Maven is given its own home, and the tests no key but by their settings: some of them are about keys that are not there. */
function mavenEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const rest = Object.entries(env).filter(([name]) => !name.startsWith('AWS_'));
  return { ...Object.fromEntries(rest), HOME: process.env.HOME };
}
