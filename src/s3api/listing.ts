import type { S3Request } from './call.ts';
import { invalidArgument } from './errors.ts';
import { quoted, xmlDate } from './headers.ts';
import { encodeListed } from './percent.ts';
import { parameter, parseLimit } from './request.ts';
import type { ListItem, ObjectSummary } from './service.ts';
import { element, escapeText, optionalElement, textElement } from './xml.ts';

/** What every list of keys has in common. */
export interface ListRequest {
  readonly prefix: string;
  readonly delimiter?: string;
  readonly limit: number;
  readonly names: NameWriter;
}

/** Writes keys and parts of keys as the client wants them. */
export interface NameWriter {
  /** `url` or undefined, for the `EncodingType` element. */
  readonly encodingType?: 'url';
  /** A whole element. */
  write(elementName: string, key: string): string;
}

/** InvalidArgument for an encoding that is not `url`. */
export function parseNames(request: S3Request): NameWriter {
  const encoding = request.query.get('encoding-type');
  if (encoding !== undefined && encoding.toLowerCase() !== 'url') {
    throw invalidArgument('encoding-type', encoding, 'Invalid Encoding Method specified in Request');
  }
  if (encoding === undefined) return { write: textElement };
  return { encodingType: 'url', write: (name, key) => `<${name}>${escapeText(encodeListed(key))}</${name}>` };
}

/** InvalidArgument. `limitName` is `max-keys` or `max-uploads`. */
export function parseListRequest(request: S3Request, limitName: string): ListRequest {
  return {
    prefix: request.query.get('prefix') ?? '',
    delimiter: parameter(request, 'delimiter'),
    limit: parseLimit(request, limitName),
    names: parseNames(request),
  };
}

/** An owner as S3 shows one. A user's name is its identifier. */
export function ownerElement(name: string, userName: string): string {
  return element(name, [textElement('ID', userName), textElement('DisplayName', userName)]);
}

/** `Contents` of every object, then `CommonPrefixes` of every prefix, each in order. `owner` is shown if given. */
export function contentsElements(
  items: readonly ListItem[],
  names: NameWriter,
  owner: string | undefined,
): readonly string[] {
  const objects: string[] = [];
  const prefixes: string[] = [];
  for (const item of items) {
    if (item.kind === 'object') objects.push(contentElement(item, names, owner));
    else prefixes.push(prefixElement(item.key, names));
  }
  return [...objects, ...prefixes];
}

export function prefixElement(key: string, names: NameWriter): string {
  return element('CommonPrefixes', [names.write('Prefix', key)]);
}

function contentElement(item: ObjectSummary, names: NameWriter, owner: string | undefined): string {
  return element('Contents', [
    names.write('Key', item.key),
    textElement('LastModified', xmlDate(item.lastModifiedMs)),
    textElement('ETag', quoted(item.etag)),
    ...(item.checksumAlgorithms ?? []).map((name) => textElement('ChecksumAlgorithm', name)),
    optionalElement('ChecksumType', item.checksumType),
    textElement('Size', item.sizeBytes),
    owner === undefined ? '' : ownerElement('Owner', item.owner ?? owner),
    textElement('StorageClass', item.storageClass ?? 'STANDARD'),
  ]);
}
