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
  ObjectPartsOptions,
  ObjectPartsPage,
  PartPlace,
  ProbedAbilities,
  ProbeOptions,
  PutOptions,
  UploadedPart,
  UploadInfo,
  VersionOptions,
} from './backend.ts';
import type { BackendVersions, Deletion } from './backend-versions.ts';
import { abilityToComplete, abilityToPut, checkAble, probedCapabilities } from './conditional-abilities.ts';
import type { ReachStep } from './reach-step.ts';
import { createS3Client } from './s3-client.ts';
import { S3Connection } from './s3-connection.ts';
import { S3Lister } from './s3-list.ts';
import { S3Multipart } from './s3-multipart.ts';
import { listS3ObjectParts } from './s3-object-parts.ts';
import { S3Place } from './s3-place.ts';
import { S3Probe } from './s3-probe.ts';
import { reachS3 } from './s3-reach.ts';
import { S3Reader } from './s3-read.ts';
import { S3Replacer } from './s3-replace.ts';
import { defaultS3Tuning, type S3BackendSettings, unprobed } from './s3-settings.ts';
import { S3Signer } from './s3-signer.ts';
import { S3Tags } from './s3-tags.ts';
import { S3Transport } from './s3-transport.ts';
import { S3VersionLister } from './s3-version-list.ts';
import { S3Versions } from './s3-versions.ts';
import { type BodyForm, S3Writer } from './s3-write.ts';
import { tuned } from './tuned.ts';
import { UnresolvedChanges } from './unresolved.ts';

/** The parts that do the work, each of which asks the backend and nothing else. */
export interface S3Parts {
  readonly settings: S3BackendSettings;
  readonly connection: S3Connection;
  readonly place: S3Place;
  readonly reader: S3Reader;
  readonly writer: S3Writer;
  /** A writer that sends its bodies in another form. */
  readonly writerOf: (form: Partial<BodyForm>) => S3Writer;
  readonly lister: S3Lister;
  readonly multipart: S3Multipart;
  readonly tags: S3Tags;
  readonly versions: S3Versions;
}

/**
 * Opens a bucket, or a prefix of one, of any S3. Nothing is asked of it yet. Throws a `UfsError` of kind not-implemented
 * for a URI of another form.
 */
export function openS3Backend(clock: Clock, random: Random, settings: S3BackendSettings): S3Backend {
  const place = new S3Place(settings.uri);
  const tuning = tuned(defaultS3Tuning, settings);
  const { client, agents } = createS3Client(settings, tuning);
  const signer = new S3Signer(clock, client, place.bucket, settings.uri);
  const transport = new S3Transport(clock, signer, agents, {
    ...settings,
    connectTimeoutMs: tuning.connectTimeoutMs,
  });
  const connection = new S3Connection(clock, random, client, transport, settings.uri, tuning);
  const { settlingMs, maxHoldMs } = tuning;
  const unresolved = new UnresolvedChanges(clock, { backend: settings.uri, settlingMs, maxHoldMs });
  const reader = new S3Reader(connection, place, unresolved);
  const { abilities = unprobed } = settings;
  const replacer = new S3Replacer(settings.uri, reader, unresolved, abilities);
  const { checksumTrailers, signedChunks } = abilities;
  const secure = !/^http:/i.test(settings.endpoint ?? '');
  const { inlineBodyBytes } = tuning;
  const writerOf = (form: Partial<BodyForm>) => {
    const usual = { secure, checksumTrailers, signedChunks, inlineBodyBytes };
    return new S3Writer(random, connection, place, reader, replacer, { ...usual, ...form });
  };
  const writer = writerOf({});
  const lister = new S3Lister(connection, place);
  const multipart = new S3Multipart(connection, place, reader, writer, replacer);
  const tags = new S3Tags(connection, place);
  const versions = new S3Versions(connection, place, reader, new S3VersionLister(connection, place));
  return new S3Backend(
    { settings, connection, place, reader, writer, writerOf, lister, multipart, tags, versions },
    abilities,
  );
}

/**
 * A bucket of any S3. ETags, checksums, headers, metadata, multipart uploads and conditions are the backend's own.
 * Conditions are handed on where a probe has shown that the backend decides them atomically, and refused elsewhere.
 */
export class S3Backend implements Backend {
  readonly uri: string;
  readonly capabilities: BackendCapabilities;
  readonly open?: Backend['open'];
  readonly versions?: BackendVersions;
  private readonly parts: S3Parts;

  constructor(parts: S3Parts, abilities: ProbedAbilities) {
    this.uri = parts.place.uri;
    this.parts = parts;
    this.capabilities = {
      ...probedCapabilities(abilities),
      multipart: true,
      serverSideCopy: true,
      exclusive: false,
      objectAcls: false,
      stamps: true,
      uploadStamps: true,
      anyKey: true,
      versions: abilities.versions ?? false,
      versioning: false,
    };
    if (this.capabilities.versions) this.versions = parts.versions;
    if (abilities.metadataOnGet ?? true) {
      this.open = (key, range, options) => parts.reader.open(key, range, options);
    }
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
    const marks = this.capabilities.versions && (await this.parts.versions.marks());
    return this.parts.writer.delete(key, options, marks);
  }

  list(options: ListOptions): Promise<ListPage> {
    return this.parts.lister.list(options);
  }

  async copy(sourceKey: string, key: string, options: CopyOptions): Promise<ObjectMeta> {
    checkAble(this, 'conditionalCopy', options.condition, key);
    return this.parts.writer.copy(sourceKey, key, options);
  }

  getTags(key: string, options?: VersionOptions): Promise<readonly Tag[]> {
    return this.parts.tags.get(key, options);
  }

  async amend(key: string, { tags }: ObjectChange, options?: VersionOptions): Promise<ObjectMeta> {
    if (tags) await this.parts.tags.put(key, tags, options);
    return this.parts.reader.head(key, options);
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
    return this.parts.lister.listUploads(options);
  }

  findPart(key: string, meta: ObjectMeta, partNumber: number, options?: CallOptions): Promise<PartPlace> {
    return this.parts.reader.findPart(key, meta, partNumber, options);
  }

  listObjectParts(key: string, meta: ObjectMeta, options: ObjectPartsOptions): Promise<ObjectPartsPage> {
    const { connection, place } = this.parts;
    return listS3ObjectParts(connection, place, key, meta, options);
  }

  probe(key: string, options: ProbeOptions = {}): Promise<ProbedAbilities> {
    return new S3Probe(this.parts, key, options).run();
  }

  reach(options: CallOptions = {}): AsyncIterable<ReachStep> {
    return reachS3(this.parts, options);
  }

  async close(): Promise<void> {
    this.parts.connection.close();
  }
}
