import type { UploadBody } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type { UploadedPart, UploadInfo } from './backend.ts';
import { crc32cOf, wholeBody } from './gcs-body.ts';
import { type GcsConnection, jsonOf } from './gcs-connection.ts';
import { noGcsAnswer } from './gcs-errors.ts';
import type { GcsHidden } from './gcs-hidden.ts';
import { objectPath } from './gcs-names.ts';
import { type GcsObject, objectFields } from './gcs-object.ts';
import { type GcsPlace, hiddenPrefix } from './gcs-place.ts';
import { formatRecord, maxMetadataBytes, parseRecord, recordEntry } from './gcs-record.ts';
import { gcsClassOf } from './gcs-storage-classes.ts';
import type { GcsUploader } from './gcs-upload.ts';
import type { GcsWriter } from './gcs-write.ts';
import { answeredPart, needPartChecksum, partChecksums } from './part-checksums.ts';

/** A part, and the object that holds its bytes. */
export interface GcsPart extends UploadedPart {
  readonly object: GcsObject;
  /** Its hidden name. */
  readonly name: string;
}

type PartCall = {
  readonly operation: string;
  readonly key: string;
  readonly signal: AbortSignal | undefined;
};

/** Below it lies everything of one upload. */
export function uploadFolder(uploadId: string): string {
  return `${hiddenPrefix}uploads/${uploadId}/`;
}

/**
 * The parts of uploads: objects under hidden names, each of its own, so that an attempt which comes late replaces none. A part counts
 * once its object has a record; of several with one number the newest counts.
 */
export class GcsParts {
  readonly #random: Random;
  readonly #connection: GcsConnection;
  readonly #place: GcsPlace;
  readonly #uploader: GcsUploader;
  readonly #writer: GcsWriter;
  readonly #hidden: GcsHidden;

  constructor(
    random: Random,
    connection: GcsConnection,
    place: GcsPlace,
    uploader: GcsUploader,
    writer: GcsWriter,
    hidden: GcsHidden,
  ) {
    this.#random = random;
    this.#connection = connection;
    this.#place = place;
    this.#uploader = uploader;
    this.#writer = writer;
    this.#hidden = hidden;
  }

  /** Stores a part. Kinds: upload-mismatch, and those of a put. */
  async put(
    upload: UploadInfo,
    partNumber: number,
    body: UploadBody,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly part: UploadedPart; readonly name: string }> {
    const { key, uploadId } = upload;
    const algorithm = needPartChecksum(upload, body, this.#place.uri);
    body.need('CRC32C');
    const name = `${partsFolder(uploadId)}${padded(partNumber)}-${this.#random.uuid()}`;
    const { smallBodyBytes, pieceBytes } = this.#connection.tuning;
    const call = { operation: 'objects.insert', key, signal };
    const recordOf = () => this.#recordOf(uploadId, crc32cOf(body), partChecksums(body, algorithm));
    // Parts have the class of the object: only objects of one class make another ("Composite objects").
    const about = { storageClass: gcsClassOf(upload.storageClass), contentType: 'application/octet-stream' };
    const whole = async () => {
      const bytes = await wholeBody(body, pieceBytes, { backend: this.#place.uri, key, signal });
      const resource = { ...about, crc32c: crc32cOf(body), metadata: recordOf() };
      return this.#uploader.insert({ call, key: name, resource, expected: 'absent' }, bytes);
    };
    const staged = async () => {
      const object = await this.#writer.stage(call, name, body, about);
      return this.#patch(call, name, object, recordOf());
    };
    const { large } = this.#connection;
    const object =
      body.sizeBytes <= smallBodyBytes
        ? await whole()
        : await this.#connection.under(large, signal, body.sizeBytes <= pieceBytes ? whole : staged);
    const part = this.#partOf(object);
    if (!part) throw noGcsAnswer(call.operation, 'the part’s MD5', this.#place.uri, key);
    return { part: answeredPart(upload, withoutObject(part), body), name };
  }

  /** The parts that count, by number, those after `afterPartNumber`. */
  async stored(
    uploadId: string,
    afterPartNumber: number,
    signal: AbortSignal | undefined,
  ): Promise<Map<number, GcsPart>> {
    const folder = partsFolder(uploadId);
    const from = afterPartNumber > 0 ? `${folder}${padded(afterPartNumber + 1)}` : undefined;
    const parts = new Map<number, GcsPart>();
    for (const object of await this.#hidden.objects(folder, { from, signal })) {
      const part = this.#partOf(object);
      if (!part) continue;
      const other = parts.get(part.partNumber);
      if (!other || BigInt(other.object.generation) < BigInt(object.generation))
        parts.set(part.partNumber, part);
    }
    return parts;
  }

  #recordOf(uploadId: string, crc32c: string, checksums: UploadedPart['checksums']): Record<string, string> {
    const text = formatRecord({ stamp: uploadId, crc32c, checksums }, maxMetadataBytes) as string;
    return { [recordEntry]: text };
  }

  async #patch(
    call: PartCall,
    name: string,
    { generation }: GcsObject,
    metadata: Record<string, string>,
  ): Promise<GcsObject> {
    const request = {
      ...call,
      operation: 'objects.patch',
      method: 'PATCH',
      path: objectPath(this.#place, name),
      parameters: { ifGenerationMatch: generation, fields: objectFields },
      headers: { 'content-type': 'application/json; charset=UTF-8' },
      body: Buffer.from(JSON.stringify({ metadata })),
    } as const;
    return jsonOf(await this.#connection.change(request), request, this.#place.uri, true);
  }

  /** Undefined for one whose bytes are there and whose record is not. */
  #partOf(object: GcsObject): GcsPart | undefined {
    const name = this.#place.keyOf(object.name);
    const record = parseRecord(object.metadata?.[recordEntry]);
    const number = /\/(\d{5})-[^/]+$/.exec(object.name)?.[1];
    if (!name || !record || number === undefined || !object.md5Hash) return undefined;
    return {
      partNumber: Number(number),
      sizeBytes: Number(object.size),
      etag: Buffer.from(object.md5Hash, 'base64').toString('hex'),
      lastModifiedMs: Date.parse(object.timeCreated),
      checksums: record.checksums ?? {},
      object,
      name,
    };
  }
}

export function withoutObject({ object: _, name: __, ...part }: GcsPart): UploadedPart {
  return part;
}

function partsFolder(uploadId: string): string {
  return `${uploadFolder(uploadId)}parts/`;
}

/** In byte order as in order of number: S3 has parts 1 to 10,000. */
function padded(partNumber: number): string {
  return String(partNumber).padStart(5, '0');
}
