import type { ByteRange } from '../common/byte-range.ts';
import type { Clock } from '../common/clock.ts';
import type { ObjectMeta, Tag, UploadBody } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
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
  VersionOptions,
} from './backend.ts';
import type { Deletion } from './backend-versions.ts';
import { abilityToComplete, abilityToPut, checkAble, probedCapabilities } from './conditional-abilities.ts';
import { UfsError } from './errors.ts';
import { GcsConnection } from './gcs-connection.ts';
import { GcsCopier } from './gcs-copy.ts';
import { GcsAuthorizer } from './gcs-credentials.ts';
import { GcsHidden } from './gcs-hidden.ts';
import { GcsLister } from './gcs-list.ts';
import { GcsMultipart } from './gcs-multipart.ts';
import { GcsParts as GcsPartStore } from './gcs-parts.ts';
import { GcsPlace } from './gcs-place.ts';
import { GcsProbe } from './gcs-probe.ts';
import { reachGcs } from './gcs-reach.ts';
import { GcsReader } from './gcs-read.ts';
import { GcsReplacer } from './gcs-replace.ts';
import { GcsRewriter } from './gcs-rewrite.ts';
import { defaultGcsTuning, type GcsBackendSettings, type GcsCredentials } from './gcs-settings.ts';
import { GcsUploader } from './gcs-upload.ts';
import { GcsWriter } from './gcs-write.ts';
import { HttpExchange } from './http-exchange.ts';
import type { ReachStep } from './reach-step.ts';
import { unprobed } from './s3-settings.ts';
import { tuned } from './tuned.ts';
import { isUnreadWay } from './unread-way.ts';
import { UnresolvedChanges } from './unresolved.ts';
import { defaultUploadLimits, UploadExpiry, type UploadLimits } from './upload-expiry.ts';

/** The parts that do the work, each of which asks the storage and nothing else. */
export interface GcsParts {
  readonly settings: GcsBackendSettings;
  readonly connection: GcsConnection;
  readonly place: GcsPlace;
  readonly reader: GcsReader;
  readonly writer: GcsWriter;
  readonly copier: GcsCopier;
  readonly uploader: GcsUploader;
  readonly rewriter: GcsRewriter;
  readonly lister: GcsLister;
  readonly hidden: GcsHidden;
  readonly multipart: GcsMultipart;
  readonly expiry: UploadExpiry;
}

export interface GcsOpenSettings extends GcsBackendSettings {
  /** Absent: nothing is removed by itself, as where the mount is read-only. */
  readonly uploadLimits?: UploadLimits;
  readonly onFault?: (error: unknown) => void;
}

/**
 * Opens a Cloud Storage bucket, or a prefix of one. Nothing is asked of it yet. Throws `UfsError`: not-implemented for a URI of another
 * form; denied for credentials that are none, or that would go over the network in the clear.
 */
export function openGcsBackend(clock: Clock, random: Random, settings: GcsOpenSettings): GcsBackend {
  const place = new GcsPlace(settings.uri);
  const { uri, uploadLimits } = settings;
  const tuning = tuned(defaultGcsTuning, settings);
  const origin = new URL(settings.endpoint ?? 'https://storage.googleapis.com');
  const exchange = new HttpExchange(clock, { ...settings, ...tuning });
  const authorizer = new GcsAuthorizer(uri, credentialsFor(origin, settings), (url) =>
    exchange.agentFor(url),
  );
  const connection = new GcsConnection(clock, random, exchange, authorizer, { uri, origin, tuning });
  const { abilities = unprobed } = settings;
  const { settlingMs, maxHoldMs } = tuning;
  const unresolved = new UnresolvedChanges(clock, { backend: uri, settlingMs, maxHoldMs });
  const reader = new GcsReader(connection, place, unresolved);
  const replacer = new GcsReplacer(uri, reader, unresolved, abilities);
  const uploader = new GcsUploader(random, connection, place);
  const rewriter = new GcsRewriter(connection, place);
  const hidden = new GcsHidden(random, connection, place, uploader);
  const writer = new GcsWriter(random, connection, place, reader, replacer, uploader, rewriter, hidden);
  const copier = new GcsCopier(random, place, reader, replacer, rewriter);
  const lister = new GcsLister(connection, place);
  const parts = new GcsPartStore(random, connection, place, uploader, writer, hidden);
  const limits = uploadLimits ?? defaultUploadLimits;
  const multipart = new GcsMultipart(
    clock,
    random,
    { place, reader, replacer, rewriter, hidden, parts },
    { minPartSizeBytes: settings.minPartSizeBytes, maxCount: limits.maxCount },
  );
  const removeIdle = () => multipart.removeIdle(clock.nowMs() - limits.maxIdleMs);
  const expiry = new UploadExpiry(clock, removeIdle, settings.onFault ?? (() => {}));
  if (uploadLimits) expiry.start(uploadLimits);
  return new GcsBackend(
    {
      settings,
      connection,
      place,
      reader,
      writer,
      copier,
      uploader,
      rewriter,
      lister,
      hidden,
      multipart,
      expiry,
    },
    abilities,
  );
}

/**
 * Credentials that were found by a search go to Google alone, as Google's library has it, not to whatever an endpoint names; and none
 * go where others could read them on the way.
 */
function credentialsFor(origin: URL, { uri, credentials }: GcsBackendSettings): GcsCredentials {
  const isGoogle = /(^|\.)googleapis\.com$/.test(origin.hostname) && origin.protocol === 'https:';
  const wanted = credentials ?? { kind: 'default' };
  if (wanted.kind === 'default') return isGoogle ? wanted : { kind: 'anonymous' };
  if (wanted.kind === 'anonymous' || isUnreadWay(origin)) return wanted;
  const message =
    'credentials are not sent over http://: anybody on the way could use them; give an endpoint with https://';
  throw new UfsError('denied', message, { backend: uri });
}

/**
 * A bucket of Google Cloud Storage: generations name versions, preconditions decide changes, and what S3 tells of an object and Cloud
 * Storage has no place for is kept in the object's own metadata (`GcsRecord`).
 */
export class GcsBackend implements Backend {
  readonly uri: string;
  readonly capabilities: BackendCapabilities;
  private readonly parts: GcsParts;

  constructor(parts: GcsParts, abilities: ProbedAbilities) {
    this.uri = parts.place.uri;
    this.parts = parts;
    this.capabilities = {
      ...probedCapabilities(abilities),
      multipart: true,
      serverSideCopy: true,
      exclusive: false,
      objectAcls: false,
      stamps: true,
      uploadStamps: false,
      anyKey: false,
      versions: false,
      versioning: false,
    };
  }

  head(key: string, options?: CallOptions): Promise<ObjectMeta> {
    return this.parts.reader.head(key, options);
  }

  read(key: string, meta: ObjectMeta, range: ByteRange, options?: CallOptions): AsyncIterable<Buffer> {
    return this.parts.reader.read(key, meta, range, options);
  }

  async put(key: string, body: UploadBody, options: PutOptions): Promise<ObjectMeta> {
    const { condition } = options;
    checkAble(this, abilityToPut(condition), condition, key);
    return this.parts.writer.put(key, body, options);
  }

  async delete(key: string, options: DeleteOptions = {}): Promise<Deletion> {
    checkAble(this, 'conditionalDelete', options.condition, key);
    await this.parts.writer.delete(key, options);
    return {};
  }

  list(options: ListOptions): Promise<ListPage> {
    return this.parts.lister.list(options);
  }

  async copy(sourceKey: string, key: string, options: CopyOptions): Promise<ObjectMeta> {
    checkAble(this, 'conditionalCopy', options.condition, key);
    return this.parts.copier.copy(sourceKey, key, options);
  }

  getTags(key: string, options?: VersionOptions): Promise<readonly Tag[]> {
    return this.parts.writer.getTags(key, options);
  }

  amend(key: string, change: ObjectChange, options?: VersionOptions): Promise<ObjectMeta> {
    return this.parts.writer.amend(key, change, options);
  }

  createUpload(key: string, options: CreateUploadOptions): Promise<UploadInfo> {
    return this.parts.multipart.create(key, options);
  }

  putPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: UploadBody,
    options?: CallOptions,
  ): Promise<UploadedPart> {
    return this.parts.multipart.putPart(key, uploadId, partNumber, body, options);
  }

  listParts(
    key: string,
    uploadId: string,
    options: CallOptions & { readonly afterPartNumber?: number; readonly limit: number },
  ) {
    return this.parts.multipart.listParts(key, uploadId, options);
  }

  async completeUpload(
    key: string,
    uploadId: string,
    parts: readonly CompletePart[],
    options: CompleteOptions = {},
  ): Promise<ObjectMeta> {
    const { condition } = options;
    checkAble(this, abilityToComplete(condition), condition, key);
    return this.parts.multipart.complete(key, uploadId, parts, options);
  }

  abortUpload(key: string, uploadId: string, options?: CallOptions): Promise<void> {
    return this.parts.multipart.abort(key, uploadId, options);
  }

  listUploads(options: ListUploadsOptions): Promise<ListUploadsPage> {
    return this.parts.multipart.list(options);
  }

  probe(key: string, options: ProbeOptions = {}): Promise<ProbedAbilities> {
    return new GcsProbe(this.parts, key, options).run();
  }

  reach(options: CallOptions = {}): AsyncIterable<ReachStep> {
    return reachGcs(this.parts, options);
  }

  /** Resolves when nothing that was needed for changes is being removed any more. */
  idle(): Promise<void> {
    return this.parts.hidden.idle();
  }

  async close(): Promise<void> {
    await this.parts.expiry.stop();
    await this.parts.hidden.close();
    this.parts.connection.close();
  }
}
