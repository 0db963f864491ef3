import { checksumAlgorithms } from '../../common/object-meta.ts';
import type { Call, S3Response } from '../call.ts';
import { authoriseCondition } from '../condition-rights.ts';
import { S3Error } from '../errors.ts';
import type { RequestHeaders } from '../headers.ts';
import { type BucketName, parseObjectKey } from '../names.ts';
import { refuseOnWrite } from '../refused-headers.ts';
import { bucketOf, parseVersionId } from '../request.ts';
import type { DeletedObject } from '../service.ts';
import { element, optionalElement, rootElement, textElement, xmlResponse } from '../xml.ts';
import { leafTexts, parseXml, type XmlElement } from '../xml-reader.ts';

/** Room for 1,000 of the longest keys, some of their characters escaped. */
const maxBodyBytes = 2 * 1024 * 1024;
const maxKeys = 1000;
/** Object with its Key, VersionId, ETag, LastModifiedTime and Size. */
const elementsOfObject = 6;
/** Deletions under way at once for one request. */
const concurrency = 16;

interface Deletion {
  readonly key: string;
  readonly versionId?: string;
  readonly etag?: string;
  /** LastModifiedTime and Size are conditions that only directory buckets know. */
  readonly otherCondition: boolean;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html. A missing bucket is no matter of single keys. */
export async function deleteObjects(call: Call): Promise<S3Response> {
  const { headers } = call.request;
  refuseOnWrite(headers);
  requireDigest(headers);
  const { deletions, quiet } = parseDelete(await call.text(maxBodyBytes));
  const bucket = bucketOf(call.request);
  await call.service.getBucket(bucket);
  const results = await inOrder(deletions, (deletion) => answerDeletion(call, bucket, deletion, quiet));
  return xmlResponse(rootElement('DeleteResult', results));
}

/** A list of deletions that was damaged on its way would delete something else. */
function requireDigest(headers: RequestHeaders): void {
  if (headers['content-md5'] !== undefined) return;
  if (headers['x-amz-trailer']?.toLowerCase().includes('x-amz-checksum-')) return;
  if (checksumAlgorithms.some((name) => headers[`x-amz-checksum-${name.toLowerCase()}`] !== undefined))
    return;
  throw new S3Error('InvalidRequest', {
    message: 'Missing required header for this request: Content-MD5 OR x-amz-checksum-*',
  });
}

/** MalformedXML, also for no key or more than 1,000. */
function parseDelete(body: string): { deletions: readonly Deletion[]; quiet: boolean } {
  const root = parseXml(body, 'Delete', maxKeys * elementsOfObject + 1);
  const objects = root.children.filter((child) => child.name === 'Object');
  const others = root.children.filter((child) => child.name !== 'Object');
  const { Quiet: quiet } = leafTexts({ ...root, children: others }, ['Quiet']);
  if (objects.length === 0 || objects.length > maxKeys) throw new S3Error('MalformedXML');
  return { deletions: objects.map(parseDeletion), quiet: quiet?.trim().toLowerCase() === 'true' };
}

function parseDeletion(object: XmlElement): Deletion {
  const texts = leafTexts(object, ['Key', 'VersionId', 'ETag', 'LastModifiedTime', 'Size']);
  if (texts.Key === undefined || texts.Key === '') throw new S3Error('MalformedXML');
  return {
    key: texts.Key,
    versionId: texts.VersionId,
    etag: texts.ETag?.trim().replace(/^"(.*)"$/, '$1'),
    otherCondition: texts.LastModifiedTime !== undefined || texts.Size !== undefined,
  };
}

/** The element of the answer for one key. Only what S3 has a code for is an answer: a fault inside ends the request. */
async function answerDeletion(
  call: Call,
  bucket: BucketName,
  deletion: Deletion,
  quiet: boolean,
): Promise<string> {
  const { versionId } = deletion;
  let deleted: DeletedObject;
  try {
    deleted = await deleteOne(call, bucket, deletion);
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    call.noteFault(error);
    return element('Error', [
      textElement('Key', deletion.key),
      optionalElement('VersionId', versionId),
      textElement('Code', error.code),
      textElement('Message', error.message),
    ]);
  }
  if (quiet) return '';
  return element('Deleted', [
    textElement('Key', deletion.key),
    optionalElement('VersionId', versionId),
    ...(deleted.deleteMarker
      ? [textElement('DeleteMarker', true), optionalElement('DeleteMarkerVersionId', deleted.versionId)]
      : []),
  ]);
}

async function deleteOne(call: Call, bucket: BucketName, deletion: Deletion): Promise<DeletedObject> {
  const key = parseObjectKey(deletion.key);
  const versionId = parseVersionId(deletion.versionId);
  if (deletion.otherCondition) throw new S3Error('NotImplemented');
  const action = versionId === undefined ? 's3:DeleteObject' : 's3:DeleteObjectVersion';
  await call.authorise(action, bucket, key, versionId);
  const condition = deletion.etag === undefined ? undefined : { ifMatch: deletion.etag };
  await authoriseCondition(call, { bucket, key }, condition);
  try {
    return await call.service.deleteObject({ bucket, key, versionId }, { condition, signal: call.signal });
  } catch (error) {
    // Within a list S3 says so of every id that is none (S3 API Reference, DeleteObjects).
    const isNone = error instanceof S3Error && error.code === 'InvalidArgument' && versionId !== undefined;
    throw isNone ? new S3Error('NoSuchVersion', { cause: error }) : error;
  }
}

/** Maps with bounded concurrency. The first rejection is passed on once no call is under way any more. */
async function inOrder<Item>(
  items: readonly Item[],
  map: (item: Item) => Promise<string>,
): Promise<readonly string[]> {
  const results: string[] = new Array(items.length).fill('');
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await map(item);
  };
  const outcomes = await Promise.allSettled(Array.from({ length: concurrency }, worker));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return results;
}
