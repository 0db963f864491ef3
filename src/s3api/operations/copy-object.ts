import type { NewObject, ObjectMeta } from '../../common/object-meta.ts';
import type { Call, S3Response } from '../call.ts';
import { checksumElements, parseChecksumAlgorithm } from '../checksums.ts';
import { authoriseCondition } from '../condition-rights.ts';
import { checkCopySourceConditions, naming, parseWriteCondition } from '../conditions.ts';
import {
  checkCopySize,
  copiedFromHeaders,
  copySourceAction,
  parseCopySource,
  readingSource,
} from '../copy-source.ts';
import { invalidArgument, S3Error } from '../errors.ts';
import { madeVersionHeaders, parseNewObject, quoted, type RequestHeaders, xmlDate } from '../headers.ts';
import type { ObjectRef, VersionRef } from '../names.ts';
import { refuseOnWrite } from '../refused-headers.ts';
import { objectOf, refusePartNumber, refuseVersionId } from '../request.ts';
import { parseNewTags } from '../tagging.ts';
import { optionalElement, rootElement, textElement, xmlResponse } from '../xml.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html */
export async function copyObject(call: Call): Promise<S3Response> {
  const { request, service, signal } = call;
  const { headers } = request;
  refuseOnWrite(headers);
  refuseVersionId(request);
  refusePartNumber(request);
  const target = objectOf(request);
  const source = parseCopySource(headers);
  const replaces = parseDirective(headers) === 'REPLACE';
  const checksumAlgorithm = parseChecksumAlgorithm(headers);
  const condition = parseWriteCondition(headers);
  const tags = parseTagDirective(headers) === 'REPLACE' ? ((await parseNewTags(call)) ?? []) : undefined;
  // Storage class and redirect are the request's under either directive, the other headers only under REPLACE.
  const given = parseNewObject(replaces ? headers : onlyOwn(headers));
  const changesOwn = headers['x-amz-storage-class'] !== undefined || redirectOf(given) !== undefined;
  if (!replaces && !changesOwn && checksumAlgorithm === undefined) refuseSelfCopy(source, target);
  const { versionId } = source;
  await authoriseCondition(call, target, condition);
  const admit = await call.authorise(copySourceAction(source), source.bucket, source.key, versionId);
  const seen =
    !replaces && changesOwn
      ? (await readingSource(() => service.headObject(source, { signal, versionId }))).meta
      : undefined;
  const admitTags = tags === undefined ? await tagRights(call, source) : admit;
  const input = {
    source,
    checkSource: (present: ObjectMeta) => {
      admit(present);
      if (present.tagCount) admitTags(present);
      checkSource(headers, present, seen);
    },
    replace: replaces ? given : seen && withOwn(seen, given),
    tags,
    access: call.newObjectAccess(),
    checksumAlgorithm,
    condition,
    signal,
  };
  const made = await naming(condition, target.key, () =>
    readingSource(() => service.copyObject(target, input)),
  );
  const versions = { ...madeVersionHeaders(made), ...copiedFromHeaders(made) };
  return xmlResponse(copyResult('CopyObjectResult', made), versions);
}

/**
 * What is to be called with a source whose tags are copied too: AccessDenied unless the caller may read these and set them (S3 User Guide,
 * "Categorizing your objects using tags", "API operations related to object tagging").
 */
async function tagRights(call: Call, source: VersionRef): Promise<(present: ObjectMeta) => void> {
  const { bucket, key } = objectOf(call.request);
  const action = source.versionId === undefined ? 's3:GetObjectTagging' : 's3:GetObjectVersionTagging';
  try {
    await call.authorise('s3:PutObjectTagging', bucket, key);
    return await call.authorise(action, source.bucket, source.key, source.versionId);
  } catch (error) {
    if (!(error instanceof S3Error) || error.code !== 'AccessDenied') throw error;
    return () => {
      throw error;
    };
  }
}

/** The answer of both copies. */
export function copyResult(
  name: string,
  made: Pick<ObjectMeta, 'etag' | 'lastModifiedMs' | 'checksums' | 'checksumType'>,
): string {
  return rootElement(name, [
    textElement('LastModified', xmlDate(made.lastModifiedMs)),
    textElement('ETag', quoted(made.etag)),
    checksumElements(made.checksums),
    optionalElement('ChecksumType', made.checksumType),
  ]);
}

function parseDirective(headers: RequestHeaders): 'COPY' | 'REPLACE' {
  const directive = headers['x-amz-metadata-directive'] ?? 'COPY';
  if (directive === 'COPY' || directive === 'REPLACE') return directive;
  throw invalidArgument('x-amz-metadata-directive', directive, 'Unknown metadata directive.');
}

function parseTagDirective(headers: RequestHeaders): 'COPY' | 'REPLACE' {
  const directive = headers['x-amz-tagging-directive'] ?? 'COPY';
  if (directive === 'COPY' || directive === 'REPLACE') return directive;
  throw invalidArgument('x-amz-tagging-directive', directive, 'Unknown tagging directive.');
}

function onlyOwn(headers: RequestHeaders): RequestHeaders {
  const redirect = 'x-amz-website-redirect-location';
  return { 'x-amz-storage-class': headers['x-amz-storage-class'], [redirect]: headers[redirect] };
}

function redirectOf(object: NewObject): string | undefined {
  return object.headers.websiteRedirectLocation;
}

/** The source's metadata with the request's own storage class and redirect in the place of the source's. */
function withOwn(source: ObjectMeta, given: NewObject): NewObject {
  return {
    headers: { ...source.headers, websiteRedirectLocation: redirectOf(given) },
    userMetadata: source.userMetadata,
    storageClass: given.storageClass,
  };
}

function checkSource(headers: RequestHeaders, present: ObjectMeta, seen: ObjectMeta | undefined): void {
  checkCopySourceConditions(headers, present);
  checkCopySize(present.sizeBytes);
  // The metadata to write was taken from `seen`; that of another version must not go with these bytes.
  if (seen !== undefined && seen.generation !== present.generation) throw new S3Error('OperationAborted');
}

function refuseSelfCopy(source: VersionRef, target: ObjectRef): void {
  // An older version that is copied over its own object becomes the present one.
  if (source.versionId !== undefined) return;
  if (source.bucket !== target.bucket || source.key !== target.key) return;
  throw new S3Error('InvalidRequest', {
    message:
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
  });
}
