/**
 * `npm run conformance:namespace [-- --only PATTERN]`: a cluster of three nodes, and one bucket in it whose folders are mounts of an S3, of
 * Cloud Storage and of HDFS. Spark over S3A, boto3 and the aws CLI write and read the same tables in it, each at another node. In the end nodes stand still and are
 * killed, and what they had begun over HDFS is fenced off (`--only fences`: that alone). Closes
 * with one line `N passed, N failed[, N skipped]`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SmallCluster } from '../chaos/cluster/small-cluster.ts';
import { startGcs } from '../conformance/backends/gcs.ts';
import { type HdfsStorage, startHdfs } from '../conformance/backends/hdfs.ts';
import {
  type MountSource,
  makeBucket,
  makeS3Place,
  NotInstallable,
  type StorageServer,
} from '../conformance/backends/storage-server.ts';
import { readPytestResults } from '../conformance/cases.ts';
import { clients } from '../conformance/clients.ts';
import { installClient } from '../conformance/install.ts';
import { checkFences } from './namespace-fence.ts';
import { runCommand } from './run-command.ts';
import { closingLine, judge, leftOut, type Outcome, total } from './stage.ts';

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const root = join(import.meta.dirname, '..');
const conformance = join(root, 'conformance');
const bucket = 'namespace';
const keys = { accessKeyId: 'NAMESPACEROOT', secretAccessKey: 'namespace/root+secret' };
const timeoutMs = 3_600_000;

/** Ends what was started, the last first. */
type Running = (() => Promise<unknown>)[];

/** Adds a mount at one node; the others hear of it by etcd. The options may name variables, which the commands of a cluster do not take. */
async function addMount(
  cluster: SmallCluster,
  name: string,
  { uri, options, env }: MountSource,
): Promise<void> {
  const [node] = cluster.nodes;
  const command = ['mount', 'add', `${bucket}/${name}`, uri, ...options];
  const { code, output } = await runCommand(join(root, 'bin/forebay'), command, {
    env: {
      ...plain(),
      ...env,
      FOREBAY_ADMIN_URL: node?.adminUrl,
      AWS_ACCESS_KEY_ID: keys.accessKeyId,
      AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
    },
  });
  if (code !== 0) throw new Error(`${name} could not be mounted\n${output}`);
}

/** The caller's environment without settings of a Forebay or of a client. */
function plain(): NodeJS.ProcessEnv {
  const foreign = /^(FOREBAY_|AWS_|PYTHON|NODE_OPTIONS$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

async function openNamespace(
  folder: string,
  running: Running,
): Promise<{ cluster: SmallCluster; mounts: string[]; hdfs: HdfsStorage }> {
  const hdfs = await startHdfs();
  running.push(() => hdfs.stop());
  const gcs = await startGcs();
  running.push(() => gcs.stop());
  const others: readonly StorageServer[] = [hdfs, gcs];
  const cluster = await SmallCluster.start(folder, 3, keys);
  running.push(() => cluster.close());
  const [node] = cluster.nodes;
  await makeBucket({ port: node?.place.s3Port ?? 0, ...keys }, bucket);
  const storage = { port: cluster.plan.storagePort, ...cluster.plan.storage };
  const places = new Map([['s3', await makeS3Place(storage, `${bucket}-below`)]]);
  for (const server of others) places.set(server.name, await server.makePlace(bucket));
  for (const [name, place] of places) await addMount(cluster, name, place);
  return { cluster, mounts: [...places.keys()], hdfs };
}

/** Spark with its jars, and the CLI, which has an environment of its own. */
async function installTools(): Promise<NodeJS.ProcessEnv> {
  const installed = (name: string) => {
    const client = clients.find((one) => one.name === name);
    if (!client) throw new Error(`there is no client ${name}`);
    return installClient(client);
  };
  await installed('cli');
  const bin = join(root, '.cache/venv/bin');
  return { ...(await installed('spark')), COMMAND_AWS: `${join(bin, 'python')} ${join(bin, 'aws')}` };
}

async function runAll(folder: string, running: Running): Promise<Outcome> {
  const tools = await installTools();
  const { cluster, mounts, hdfs } = await openNamespace(folder, running);
  const outcomes: Outcome[] = [];
  if (values.only !== 'fences') outcomes.push(await runSuite(folder, cluster, mounts, tools));
  if (values.only === undefined || values.only === 'fences') outcomes.push(await runFences(cluster, hdfs));
  return { ...total(outcomes), report: outcomes.map(({ report }) => report).join('\n') };
}

async function runSuite(
  folder: string,
  cluster: SmallCluster,
  mounts: readonly string[],
  tools: NodeJS.ProcessEnv,
): Promise<Outcome> {
  const results = join(folder, 'results.json');
  const args = [
    ...[join(root, 'scripts/with-python.sh'), '-m', 'pytest', '-q', '--tb=short', '-p', 'no:cacheprovider'],
    ...['-c', join(conformance, 'pytest.ini'), '--rootdir', conformance, join(conformance, 'namespace')],
    ...(values.only === undefined ? [] : ['-k', values.only]),
  ];
  const ports = cluster.nodes.map(({ place }) => String(place.s3Port));
  const { code, output } = await runCommand('sh', args, {
    cwd: folder,
    timeoutMs,
    env: {
      ...plain(),
      ...tools,
      CLIENT: 'namespace',
      BACKEND: 'cluster',
      CASES: 'all',
      S3_PORT: ports[0],
      S3_DOMAIN: 's3.forebay.test',
      S3_BUCKETS: bucket,
      NODE_PORTS: ports.join(' '),
      NAMESPACE_BUCKET: bucket,
      NAMESPACE_MOUNTS: mounts.join(' '),
      RESULTS: results,
      AWS_ACCESS_KEY_ID: keys.accessKeyId,
      AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
      HOME: folder,
      PYTHONNOUSERSITE: '1',
    },
  });
  const cases = (await readPytestResults(results)) ?? [];
  const count = (wanted: string) => cases.filter(({ outcome }) => outcome === wanted).length;
  const isBroken = code !== 0 && count('failed') === 0;
  let report = output;
  if (code !== 0) {
    for (const node of cluster.nodes) report += `\n${node.place.name}'s log ends:\n${await node.logTail()}`;
  }
  const failed = count('failed') + (isBroken ? 1 : 0);
  return { passed: count('passed'), failed, skipped: count('skipped'), report };
}

/** Last, since it leaves a node killed. */
async function runFences(cluster: SmallCluster, hdfs: HdfsStorage): Promise<Outcome> {
  const none = { passed: 0, failed: 0, skipped: 0, report: '' };
  try {
    await checkFences(cluster.nodes, keys, hdfs, { bucket, prefix: 'hdfs/', directory: bucket });
    return { ...none, passed: 1 };
  } catch (error) {
    return { ...none, failed: 1, report: `fences: ${error instanceof Error ? error.stack : error}` };
  }
}

const folder = await mkdtemp(join(tmpdir(), 'forebay-namespace-'));
const running: Running = [];
const end = async () => {
  for (const stop of running.splice(0).reverse()) await stop().catch((error) => console.error(String(error)));
  await rm(folder, { recursive: true, force: true });
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // What was started must not outlive a run that is broken off.
  process.once(signal, () => void end().finally(() => process.exit(130)));
}
let outcome: Outcome;
try {
  outcome = await runAll(folder, running);
} catch (error) {
  const report = error instanceof Error ? (error.stack ?? error.message) : String(error);
  outcome =
    error instanceof NotInstallable
      ? judge(leftOut(error.message), process.env.CI === 'true')
      : { passed: 0, failed: 1, skipped: 0, report };
} finally {
  await end();
}
if (outcome.failed > 0 || outcome.skipped > 0) console.log(outcome.report);
console.log(closingLine(outcome));
process.exitCode = outcome.failed > 0 || outcome.passed === 0 ? 1 : 0;
