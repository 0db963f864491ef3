import type { Call, S3Request, S3Response } from '../call.ts';
import { invalidArgument, S3Error } from '../errors.ts';
import { quoted, xmlDate } from '../headers.ts';
import { type NameWriter, ownerElement, parseListRequest, prefixElement } from '../listing.ts';
import { bucketOf, parameter } from '../request.ts';
import type { VersionSummary } from '../service.ts';
import { element, optionalElement, rootElement, textElement, xmlResponse } from '../xml.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html */
export async function listObjectVersions({ request, service, signal }: Call): Promise<S3Response> {
  const bucket = bucketOf(request);
  const { prefix, delimiter, limit, names } = parseListRequest(request, 'max-keys');
  const keyMarker = parameter(request, 'key-marker');
  const versionIdMarker = parseVersionIdMarker(request, keyMarker);
  const { owner } = await service.getBucket(bucket);
  const input = { prefix, delimiter, keyMarker, versionIdMarker, limit, signal };
  const { items, truncated } =
    limit === 0
      ? { items: [], truncated: false }
      : await ofMarker(versionIdMarker, () => service.listVersions(bucket, input));
  const last = truncated ? items.at(-1) : undefined;
  const versions = items.filter((item) => item.kind === 'version');
  const prefixes = items.filter((item) => item.kind === 'prefix');
  return xmlResponse(
    rootElement('ListVersionsResult', [
      textElement('Name', bucket),
      names.write('Prefix', prefix),
      names.write('KeyMarker', keyMarker ?? ''),
      textElement('VersionIdMarker', versionIdMarker ?? ''),
      last === undefined ? '' : names.write('NextKeyMarker', last.key),
      last?.kind === 'version' ? textElement('NextVersionIdMarker', last.versionId) : '',
      textElement('MaxKeys', limit),
      delimiter === undefined ? '' : names.write('Delimiter', delimiter),
      optionalElement('EncodingType', names.encodingType),
      textElement('IsTruncated', truncated),
      ...versions.map((version) => versionElement(version, names, owner)),
      ...prefixes.map(({ key }) => prefixElement(key, names)),
    ]),
  );
}

/** InvalidArgument without a key to begin among the versions of, and for the empty string. */
function parseVersionIdMarker(request: S3Request, keyMarker: string | undefined): string | undefined {
  const name = 'version-id-marker';
  const value = request.query.get(name);
  if (value === undefined) return undefined;
  if (keyMarker === undefined) {
    throw invalidArgument(name, value, 'A version-id marker cannot be specified without a key marker.');
  }
  if (value === '') throw invalidArgument(name, value, 'A version-id marker cannot be empty.');
  return value;
}

/** The one argument that only the storage can judge is the marker. */
async function ofMarker<Result>(marker: string | undefined, list: () => Promise<Result>): Promise<Result> {
  try {
    return await list();
  } catch (error) {
    if (!(error instanceof S3Error) || error.code !== 'InvalidArgument' || marker === undefined) throw error;
    throw invalidArgument('version-id-marker', marker, error.message);
  }
}

function versionElement(version: VersionSummary, names: NameWriter, owner: string): string {
  const about = [
    names.write('Key', version.key),
    textElement('VersionId', version.versionId),
    textElement('IsLatest', version.isLatest),
    textElement('LastModified', xmlDate(version.lastModifiedMs)),
  ];
  if (version.deleteMarker) return element('DeleteMarker', [...about, ownerElement('Owner', owner)]);
  return element('Version', [
    ...about,
    textElement('ETag', quoted(version.etag)),
    ...(version.checksumAlgorithms ?? []).map((name) => textElement('ChecksumAlgorithm', name)),
    optionalElement('ChecksumType', version.checksumType),
    textElement('Size', version.sizeBytes),
    ownerElement('Owner', owner),
    textElement('StorageClass', version.storageClass ?? 'STANDARD'),
  ]);
}
