import type { Tag } from '../common/object-meta.ts';
import type { Call } from './call.ts';
import { S3Error } from './errors.ts';
import type { AnswerHeaders, RequestHeaders } from './headers.ts';
import { decodePercent } from './percent.ts';
import { objectOf } from './request.ts';
import { element, rootElement, textElement } from './xml.ts';
import { leafTexts, parseXml, type XmlElement } from './xml-reader.ts';

/** Whose tags they are, and the rules that differ (S3 User Guide, "Categorizing your storage using tags" and "Using cost allocation tags"). */
interface TagRules {
  readonly most: number;
  readonly tooMany: string;
  readonly ofSystem: string;
}

export const objectTagRules: TagRules = {
  most: 10,
  tooMany: 'Object tags cannot be greater than 10',
  ofSystem: 'Your TagKey cannot be prefixed with aws:',
};

export const bucketTagRules: TagRules = {
  most: 50,
  tooMany: 'Bucket tag count cannot be greater than 50',
  ofSystem: 'System tags cannot be added/updated by requester',
};

/** Room for 50 of the longest tags, every character of them escaped. */
export const maxTaggingBytes = 256 * 1024;
const maxKeyCharacters = 128;
const maxValueCharacters = 256;
/** A list that is longer by far is no list of tags; a somewhat longer one is told what is wrong with it. */
const maxElements = 1000;
const tagHeader = 'x-amz-tagging';
const characters = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

/** Each tag is looked at before they are counted, as S3 does. InvalidTag, BadRequest. */
export function checkTags(tags: readonly Tag[], rules: TagRules): void {
  const keys = new Set<string>();
  for (const { key, value } of tags) {
    if (key.startsWith('aws:')) throw invalidTag(rules.ofSystem, { TagKey: key });
    if (key === '' || !isTagText(key, maxKeyCharacters)) {
      throw invalidTag('The TagKey you have provided is invalid', { TagKey: key });
    }
    if (!isTagText(value, maxValueCharacters)) {
      throw invalidTag('The TagValue you have provided is invalid', { TagKey: key, TagValue: value });
    }
    if (keys.has(key)) throw invalidTag('Cannot provide multiple Tags with the same key', { TagKey: key });
    keys.add(key);
  }
  if (tags.length > rules.most) throw new S3Error('BadRequest', { message: rules.tooMany });
}

function isTagText(text: string, most: number): boolean {
  return text.length <= 2 * most && [...text].length <= most && characters.test(text);
}

function invalidTag(message: string, extra: Readonly<Record<string, string>>): S3Error {
  return new S3Error('InvalidTag', { message, extra });
}

/** A `Tagging` document. MalformedXML, InvalidTag, BadRequest. */
export function parseTagging(body: string, rules: TagRules): readonly Tag[] {
  const root = parseXml(body, 'Tagging', 3 * maxElements);
  const [set, ...others] = root.children;
  if (set?.name !== 'TagSet' || others.length > 0) throw new S3Error('MalformedXML');
  return parseTagElements(set.children, rules);
}

/** `Tag` elements. MalformedXML, InvalidTag, BadRequest. */
export function parseTagElements(elements: readonly XmlElement[], rules: TagRules): readonly Tag[] {
  const tags = elements.map((child) => {
    if (child.name !== 'Tag') throw new S3Error('MalformedXML');
    const { Key: key, Value: value } = leafTexts(child, ['Key', 'Value']);
    if (key === undefined || value === undefined) throw new S3Error('MalformedXML');
    return { key, value };
  });
  checkTags(tags, rules);
  return tags;
}

/** The answer that shows tags. */
export function taggingDocument(tags: readonly Tag[]): string {
  const elements = tags.map(({ key, value }) =>
    element('Tag', [textElement('Key', key), textElement('Value', value)]),
  );
  return rootElement('Tagging', [element('TagSet', elements)]);
}

/**
 * `x-amz-tagging`: tags as a query string. Undefined without the header, or where it names none. InvalidArgument for what is no query
 * string, and for a tag without a name, or named twice; InvalidTag, BadRequest.
 */
export function parseTagHeader(headers: RequestHeaders): readonly Tag[] | undefined {
  const header = headers[tagHeader];
  if (header === undefined || header === '') return undefined;
  const tags: Tag[] = [];
  const keys = new Set<string>();
  for (const piece of header.split('&')) {
    if (piece === '') continue;
    const [rawKey = '', rawValue = '', ...more] = piece.split('=');
    const key = decodeTag(rawKey, header);
    if (key === '' || more.length > 0 || keys.has(key)) throw notEncoded(header);
    keys.add(key);
    tags.push({ key, value: decodeTag(rawValue, header) });
  }
  checkTags(tags, objectTagRules);
  return tags.length === 0 ? undefined : tags;
}

/** The tags of the object that a request makes: who gives it some must be allowed to. */
export async function parseNewTags(call: Call): Promise<readonly Tag[] | undefined> {
  const tags = parseTagHeader(call.request.headers);
  if (tags !== undefined) {
    const { bucket, key } = objectOf(call.request);
    await call.authorise('s3:PutObjectTagging', bucket, key);
  }
  return tags;
}

/** Takes the number of tags out of an answer to who may not read them (S3 API Reference, GetObject, x-amz-tagging-count). */
export function hideTagCount(call: Call, headers: AnswerHeaders): void {
  if (!call.mayReadTags()) delete headers['x-amz-tagging-count'];
}

function decodeTag(raw: string, header: string): string {
  try {
    return decodePercent(raw.replaceAll('+', ' '));
  } catch {
    throw notEncoded(header);
  }
}

function notEncoded(header: string): S3Error {
  return new S3Error('InvalidArgument', {
    message: `The header '${tagHeader}' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.`,
    extra: { ArgumentName: tagHeader, ArgumentValue: header },
  });
}
