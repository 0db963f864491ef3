/** What an I/O thread runs: it builds the gateway over what the store thread shares, and serves until it is told to end. */
import { workerData } from 'node:worker_threads';
import { Authenticator } from '../auth/authenticate.ts';
import { Credentials } from '../auth/credentials.ts';
import { SecretBox } from '../auth/secret-box.ts';
import { type Clock, clockFrom } from '../common/clock.ts';
import { createLog, type Log, silentLog } from '../common/log.ts';
import { LogWriter } from '../common/log-writer.ts';
import { Metrics } from '../common/metrics.ts';
import { systemRandom as random } from '../common/random.ts';
import { TlsDoor } from '../common/tls.ts';
import { ConfigStore } from '../coord/config-store.ts';
import { MirrorStore } from '../coord/mirror.ts';
import { BucketGate } from '../gateway/bucket-gate.ts';
import { Buckets } from '../gateway/buckets.ts';
import { HandOver } from '../gateway/hand-over.ts';
import { RequestPipeline } from '../gateway/handle-request.ts';
import { IoRequestTaker } from '../gateway/io-request-taker.ts';
import type { FromIoThread, IoThreadStart, ToIoThread } from '../gateway/io-thread-messages.ts';
import { Namespace } from '../gateway/namespace.ts';
import { GatewayObjectService } from '../gateway/object-service.ts';
import { PortLogStream } from '../gateway/port-log-stream.ts';
import { S3Server } from '../gateway/server.ts';
import { StoreThreadKeeper } from '../gateway/store-thread-keeper.ts';
import { ThreadBoard } from '../gateway/thread-board.ts';
import { MountStore } from '../mounts/mount-store.ts';
import { MountedBackends } from '../mounts/mounted-backends.ts';
import { PolicyStore } from '../mounts/policy-store.ts';
import { BackendElsewhere } from '../ufs/backend-elsewhere.ts';
import { NodeFileSystem } from '../ufs/node-file-system.ts';
import { SharedDiskReader } from '../worker/shared-disk-reader.ts';
import { SharedLease } from '../worker/shared-lease.ts';
import { SharedMetadataReader } from '../worker/shared-metadata-reader.ts';
import { SharedPageReader } from '../worker/shared-page-reader.ts';
import { SharedRangeReader } from '../worker/shared-range-reader.ts';
import { DynamicSettings } from './dynamic-settings.ts';
import type { IoThreadJob } from './io-thread-job.ts';
import { pipelineSettings, serverSettings } from './server-settings.ts';
import { tuneThread } from './tuning.ts';

const { thread, port, snapshot, s3Port, job } = workerData as IoThreadStart & { readonly job: IoThreadJob };
const post = (message: FromIoThread) => port.postMessage(message);
const { settings } = job;
const board = new ThreadBoard(job.board, thread);
const writer = new LogWriter(new PortLogStream(board, post));
process.on('uncaughtExceptionMonitor', () => writer.send());
const log = createLog(settings['log.level'], writer);
const clock = clockFrom(job.clockOriginMs);
const metrics = new Metrics();
metrics.showDroppedLines(() => writer.droppedLines);
const mirror = new MirrorStore(snapshot);
const server = await build(clock, log);

port.on('message', (message: ToIoThread) => {
  if (message.kind === 'update') mirror.take(message.update);
  else if (message.kind === 'count') void answerCount(message.question);
  else void end(message.graceMs);
});
post({ kind: 'listening', port: (await server.listen()).port });

async function build(ownClock: Clock, ownLog: Log): Promise<S3Server> {
  const box = new SecretBox(random, Buffer.from(job.secrets.encryptionKey));
  const credentials = await Credentials.open(ownClock, mirror, box, job.secrets.root);
  const { rootUser } = job;
  const mounts = await MountStore.open(ownClock, random, mirror, box, { rootUser });
  const policies = await PolicyStore.open(ownClock, mirror, mounts);
  const dynamic = new DynamicSettings(settings, await ConfigStore.open(ownClock, mirror));
  const namespace = namespaceOver(mounts, policies, ownClock);
  const tls = await openTls(ownClock);
  const { region } = settings;
  const signatures = new Authenticator(ownClock, credentials, { region, service: 's3' });
  const elsewhere = new HandOver(job.handOver, settings['limits.connections'], (req, res, cause) =>
    pipeline.refuse(req, res, cause),
  );
  const pipeline = new RequestPipeline(
    ownClock,
    random,
    metrics,
    ownLog,
    writer,
    signatures,
    mounts.buckets,
    serviceOver(mounts, namespace, ownClock),
    {
      ...pipelineSettings(settings, tls !== undefined),
      requests: board,
      elsewhere: { handle: (req, res, expectsContinue) => elsewhere.take(req, res, expectsContinue) },
    },
  );
  tuneThread(dynamic, { log: ownLog, namespace, pipeline });
  const isCurrent = () => mirror.count === board.changes.read();
  const taker = new IoRequestTaker(pipeline, elsewhere, isCurrent);
  return new S3Server(taker, tls, { ...serverSettings(settings), port: s3Port, connections: board });
}

function namespaceOver(mounts: MountStore, policies: PolicyStore, ownClock: Clock): Namespace {
  const backends = new MountedBackends(
    new BackendElsewhere(job.rootUri),
    async (mount) => new BackendElsewhere(mount.uri),
  );
  mounts.onChange((table) => backends.retain(table.mounts, 0));
  const naming = { rootUri: job.rootUri, leaseMs: settings['freshness.lease'] };
  return new Namespace(mounts.buckets, () => mounts.table, backends, naming, policies, ownClock);
}

/** The object service over what is shared: whatever is not there is for the store thread to answer. */
function serviceOver(mounts: MountStore, namespace: Namespace, ownClock: Clock): GatewayObjectService {
  const gate = new BucketGate();
  const keeper = new StoreThreadKeeper(job.handOver, settings['limits.connections']);
  const disk = job.disk && new SharedDiskReader(new NodeFileSystem(), job.disk);
  return new GatewayObjectService(
    namespace,
    new Buckets(mounts.buckets, namespace, gate, { removeIncarnation: async () => {} }),
    gate,
    new SharedMetadataReader(
      ownClock,
      metrics,
      job.metadata,
      thread,
      job.lease && new SharedLease(job.lease),
    ),
    new SharedRangeReader(metrics, SharedPageReader.of(job.pages, thread), disk, keeper),
    { workerId: job.workerId, pageSizeBytes: settings['page.size'] },
  );
}

async function openTls(ownClock: Clock): Promise<TlsDoor | undefined> {
  const certPath = settings['tls.cert'];
  const keyPath = settings['tls.key'];
  if (certPath === undefined || keyPath === undefined) return undefined;
  // The store thread looks at the same files for the admin port, and says what is wrong with them.
  return TlsDoor.open(ownClock, silentLog(), { certPath, keyPath });
}

async function answerCount(question: number): Promise<void> {
  post({ kind: 'counted', question, values: await metrics.values() });
}

/** What was counted goes first, then the lines, so that nothing of either is lost. */
async function end(graceMs: number): Promise<void> {
  await server.close(graceMs);
  await answerCount(0);
  writer.send();
  process.exit(0);
}
