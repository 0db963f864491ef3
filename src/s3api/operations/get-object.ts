import { type AtOnce, isPending } from '../../common/at-once.ts';
import { ByteText } from '../../common/byte-text.ts';
import { digestOf } from '../../common/checksums.ts';
import type { Call, S3Response } from '../call.ts';
import { addChecksumHeaders } from '../checksums.ts';
import { versionIdHeader } from '../headers.ts';
import {
  parseReadRequest,
  type ReadRequest,
  type Representation,
  refuseOverrides,
  selectRepresentation,
} from '../representation.ts';
import { objectOf } from '../request.ts';
import type { FoundVersion, PartPlace, ReadObject, ReadOptions } from '../service.ts';
import { hideTagCount } from '../tagging.ts';

/** Answers up to here are whole before they begin, whether their bytes were cached or not. */
const summedBytes = 256 * 1024;

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html */
export function getObject(call: Call): AtOnce<S3Response> {
  const { request, service } = call;
  const wanted = parseReadRequest(request);
  if (call.caller.policy === 'anonymous') refuseOverrides(wanted);
  const read = service.getObject(
    objectOf(request),
    (found: FoundVersion, part?: PartPlace) => selectRepresentation(wanted, found, part),
    new GetOptions(call, wanted),
  );
  return isPending(read) ? read.then((found) => answer(call, wanted, found)) : answer(call, wanted, read);
}

/**
 * The signal is made when it is asked for: an answer that is at hand needs none. A class, since a getter in an object literal gives each
 * request a hidden class of its own, which keeps all of the request alive until the next major garbage collection.
 */
class GetOptions implements ReadOptions {
  readonly gate: ReadOptions['gate'];
  readonly revalidate: boolean;
  readonly maxAgeMs: number | undefined;
  readonly noStore: boolean;
  readonly onlyIfCached: boolean;
  readonly versionId: string | undefined;
  readonly partNumber: number | undefined;
  readonly checksums: boolean;
  readonly read: ReadOptions['read'];
  readonly #call: Call;

  constructor(call: Call, { cache, versionId, partNumber, checksums, read }: ReadRequest) {
    this.gate = call.gate;
    this.revalidate = cache.revalidate;
    this.maxAgeMs = cache.maxAgeMs;
    this.noStore = cache.noStore;
    this.onlyIfCached = cache.onlyIfCached;
    this.versionId = versionId;
    this.partNumber = partNumber;
    this.checksums = checksums;
    this.read = read;
    this.#call = call;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }
}

function answer(call: Call, wanted: ReadRequest, found: ReadObject<Representation>): S3Response {
  const { meta, selection, versionId, body, giveBack, cache, owner } = found;
  const { status, headers } = selection;
  if (meta.tagCount !== undefined) hideTagCount(call, headers);
  // Of a null version its metadata does not tell.
  if (versionId !== undefined) headers[versionIdHeader] = versionId;
  if (wanted.wantsChecksums) addOwnChecksum(wanted, found);
  headers['x-forebay-cache'] = cache;
  headers['x-forebay-owner'] = owner;
  return { status, headers, body, giveBack };
}

/**
 * Where the storage keeps no checksum of an object, one is made of its bytes, which were checked on their way here, as far as they are all at
 * hand before the answer begins: the kind that every client knows how to compare.
 */
function addOwnChecksum({ partNumber }: ReadRequest, found: ReadObject<Representation>): void {
  const { meta, selection, body } = found;
  if (partNumber !== undefined || meta.checksums !== undefined || meta.checksumsUnknown) return;
  const bytes = body instanceof ByteText ? body.toBuffer() : body;
  if (!Buffer.isBuffer(bytes) || bytes.length !== meta.sizeBytes || bytes.length > summedBytes) return;
  const CRC32 = digestOf('CRC32', bytes).toString('base64');
  addChecksumHeaders(selection.headers, { checksums: { CRC32 }, checksumType: 'FULL_OBJECT' });
}
