import type { ByteRange } from '../common/byte-range.ts';
import type { Clock } from '../common/clock.ts';
import type { ObjectMeta, Tag, UploadBody } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import { Activity } from './activity.ts';
import type {
  Backend,
  BackendCapabilities,
  CallOptions,
  CompleteOptions,
  CompletePart,
  CopyOptions,
  CreateUploadOptions,
  DeleteOptions,
  ListOptions,
  ListPage,
  ListUploadsOptions,
  ListUploadsPage,
  ObjectChange,
  ProbedAbilities,
  ProbeOptions,
  PutOptions,
  UploadedPart,
  UploadInfo,
  WriteCondition,
} from './backend.ts';
import type { Writer } from './backend-fence.ts';
import type { Deletion } from './backend-versions.ts';
import {
  abilityToComplete,
  abilityToPut,
  type ConditionalAbility,
  checkAble,
  probedCapabilities,
} from './conditional-abilities.ts';
import { UfsError } from './errors.ts';
import { HdfsAssembler } from './hdfs-assembly.ts';
import { HdfsClient } from './hdfs-client.ts';
import { HdfsCommits } from './hdfs-commit.ts';
import { HdfsConnection } from './hdfs-connection.ts';
import { HdfsFence } from './hdfs-fence.ts';
import { HdfsLister } from './hdfs-list.ts';
import { HdfsMultipart } from './hdfs-multipart.ts';
import { HdfsObjects } from './hdfs-objects.ts';
import { HdfsParts as HdfsPartStore } from './hdfs-parts.ts';
import { HdfsPlace } from './hdfs-place.ts';
import { HdfsProbe } from './hdfs-probe.ts';
import { reachHdfs } from './hdfs-reach.ts';
import { HdfsReader } from './hdfs-read.ts';
import { defaultHdfsTuning, type HdfsBackendSettings } from './hdfs-settings.ts';
import { HdfsStaging } from './hdfs-staging.ts';
import { HdfsWriter } from './hdfs-write.ts';
import { HttpExchange } from './http-exchange.ts';
import type { ReachStep } from './reach-step.ts';
import { unprobed } from './s3-settings.ts';
import { tuned } from './tuned.ts';
import { isUnreadWay } from './unread-way.ts';
import { defaultUploadLimits, UploadExpiry, type UploadLimits } from './upload-expiry.ts';
import { checkSignal } from './write-rules.ts';

/** The parts that do the work, each of which asks the storage and nothing else. */
export interface HdfsParts {
  readonly settings: HdfsBackendSettings;
  readonly place: HdfsPlace;
  readonly client: HdfsClient;
  readonly objects: HdfsObjects;
  readonly reader: HdfsReader;
  readonly lister: HdfsLister;
  readonly staging: HdfsStaging;
  readonly commits: HdfsCommits;
  readonly writer: HdfsWriter;
  readonly multipart: HdfsMultipart;
  readonly expiry: UploadExpiry;
}

export interface HdfsOpenSettings extends HdfsBackendSettings {
  /** Absent: nothing is removed by itself, as where the mount is read-only. */
  readonly uploadLimits?: UploadLimits;
  /** Under which name others in a cluster know this process, which may come to fence it; absent of a node by itself. */
  readonly writer?: Writer;
  readonly onFault?: (error: unknown) => void;
}

/** Opens a directory of HDFS. Nothing is asked of it yet. Throws `UfsError`: not-implemented for a URI of another form; denied. */
export function openHdfsBackend(clock: Clock, random: Random, settings: HdfsOpenSettings): HdfsBackend {
  const place = new HdfsPlace(settings.uri, settings.endpoint);
  const { uri, user, delegationToken, uploadLimits } = settings;
  refuseTokenInTheClear(place, delegationToken);
  const tuning = tuned(defaultHdfsTuning, settings);
  const exchange = new HttpExchange(clock, { ...settings, ...tuning });
  const identity = { user, delegationToken };
  const { origins } = place;
  const client = new HdfsClient(
    new HdfsConnection(clock, random, exchange, { uri, origins, identity, tuning }),
  );
  const objects = new HdfsObjects(client, place);
  const reader = new HdfsReader(client);
  const lister = new HdfsLister(client, place, objects);
  const staging = new HdfsStaging(random, client, place, settings.writer);
  const commits = new HdfsCommits(client, staging);
  const writer = new HdfsWriter(clock, random, { client, place, objects, reader, staging, commits });
  const parts = new HdfsPartStore(random, client, place, staging);
  const assembler = new HdfsAssembler(random, client, place, reader, staging, parts);
  const limits = uploadLimits ?? defaultUploadLimits;
  const multipart = new HdfsMultipart(
    clock,
    random,
    { client, place, objects, reader, staging, writer, parts, assembler },
    { minPartSizeBytes: settings.minPartSizeBytes, maxCount: limits.maxCount },
  );
  const removeIdle = () => multipart.removeIdle(clock.nowMs() - limits.maxIdleMs);
  const expiry = new UploadExpiry(clock, removeIdle, settings.onFault ?? (() => {}));
  if (uploadLimits) expiry.start(uploadLimits);
  const its = {
    settings,
    place,
    client,
    objects,
    reader,
    lister,
    staging,
    commits,
    writer,
    multipart,
    expiry,
  };
  return new HdfsBackend(its, settings.abilities ?? unprobed);
}

function refuseTokenInTheClear({ uri, origins }: HdfsPlace, token: string | undefined): void {
  if (token === undefined || origins.every(isUnreadWay)) return;
  const message =
    'a delegation token is not sent over http://: anybody on the way could use it; give an endpoint with https://';
  throw new UfsError('denied', message, { backend: uri });
}

/**
 * A directory of HDFS as it is, over WebHDFS: keys are real paths below it. What S3 tells of an object and HDFS has no place for is
 * kept in the file's extended attributes (`HdfsRecord`).
 */
export class HdfsBackend implements Backend {
  readonly uri: string;
  readonly capabilities: BackendCapabilities;
  readonly #its: HdfsParts;
  readonly #activity = new Activity();

  constructor(its: HdfsParts, abilities: ProbedAbilities) {
    this.uri = its.place.uri;
    this.#its = its;
    this.capabilities = {
      ...probedCapabilities(abilities),
      multipart: true,
      serverSideCopy: false,
      exclusive: false,
      objectAcls: false,
      stamps: true,
      uploadStamps: false,
      anyKey: false,
      versions: false,
      versioning: false,
    };
  }

  async head(key: string, { signal }: CallOptions = {}): Promise<ObjectMeta> {
    checkSignal(signal, this.uri, key);
    const { objects, commits } = this.#its;
    const unresolved = commits.mayStillChange(key);
    const found = await objects.find(key, signal);
    if (found) return unresolved ? { ...found.meta, generationSettled: false } : found.meta;
    throw new UfsError('not-found', 'there is no such object', { backend: this.uri, key, unresolved });
  }

  read(key: string, meta: ObjectMeta, range: ByteRange, options?: CallOptions): AsyncIterable<Buffer> {
    const { place, reader } = this.#its;
    const parsed = place.parse(key);
    return reader.read(key, parsed && place.path(parsed.segments), meta, range, options);
  }

  put(key: string, body: UploadBody, options: PutOptions): Promise<ObjectMeta> {
    const { condition } = options;
    const work = () => this.#its.writer.put(key, body, options);
    return this.#change(abilityToPut(condition), condition, key, work);
  }

  delete(key: string, options: DeleteOptions = {}): Promise<Deletion> {
    return this.#change('conditionalDelete', options.condition, key, async () => {
      await this.#its.writer.delete(key, options);
      return {};
    });
  }

  list(options: ListOptions): Promise<ListPage> {
    return this.#its.lister.list(options);
  }

  copy(sourceKey: string, key: string, options: CopyOptions): Promise<ObjectMeta> {
    const work = () => this.#its.writer.copy(sourceKey, key, options);
    return this.#change('conditionalCopy', options.condition, key, work);
  }

  getTags(key: string, options?: CallOptions): Promise<readonly Tag[]> {
    return this.#its.writer.getTags(key, options);
  }

  amend(key: string, change: ObjectChange, options?: CallOptions): Promise<ObjectMeta> {
    return this.#activity.run(() => this.#its.writer.amend(key, change, options));
  }

  createUpload(key: string, options: CreateUploadOptions): Promise<UploadInfo> {
    return this.#activity.run(() => this.#its.multipart.create(key, options));
  }

  putPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: UploadBody,
    options?: CallOptions,
  ): Promise<UploadedPart> {
    return this.#activity.run(() => this.#its.multipart.putPart(key, uploadId, partNumber, body, options));
  }

  listParts(
    key: string,
    uploadId: string,
    options: CallOptions & { readonly afterPartNumber?: number; readonly limit: number },
  ) {
    return this.#its.multipart.listParts(key, uploadId, options);
  }

  completeUpload(
    key: string,
    uploadId: string,
    parts: readonly CompletePart[],
    options: CompleteOptions = {},
  ): Promise<ObjectMeta> {
    const { condition } = options;
    const work = () => this.#its.multipart.complete(key, uploadId, parts, options);
    return this.#change(abilityToComplete(condition), condition, key, work);
  }

  abortUpload(key: string, uploadId: string, options?: CallOptions): Promise<void> {
    return this.#activity.run(() => this.#its.multipart.abort(key, uploadId, options));
  }

  listUploads(options: ListUploadsOptions): Promise<ListUploadsPage> {
    return this.#its.multipart.list(options);
  }

  probe(key: string, options: ProbeOptions = {}): Promise<ProbedAbilities> {
    return this.#activity.run(() => new HdfsProbe(this.#its, key, options).run());
  }

  reach(options: CallOptions = {}): AsyncIterable<ReachStep> {
    return reachHdfs(this.#its, options);
  }

  fence(mayWrite: (writer: string) => boolean): Promise<void> {
    const { client, place, staging } = this.#its;
    return this.#activity.run(() => new HdfsFence(client, place, staging).raise(mayWrite));
  }

  /** Resolves when nothing that was needed for changes is being removed any more. */
  idle(): Promise<void> {
    return this.#its.staging.idle();
  }

  async close(): Promise<void> {
    const { expiry, staging, client } = this.#its;
    await expiry.stop();
    await this.#activity.idle();
    await staging.close();
    client.connection.close();
  }

  async #change<Result>(
    ability: ConditionalAbility,
    condition: WriteCondition | undefined,
    key: string,
    work: () => Promise<Result>,
  ): Promise<Result> {
    checkAble(this, ability, condition, key);
    return this.#activity.run(work);
  }
}
