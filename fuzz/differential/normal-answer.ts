import type { Answer } from '../lib/s3-side.ts';
import { readXml, textAt, type XmlTree } from '../lib/xml-tree.ts';
import type { Step } from './step.ts';

/** What of an answer is compared: fields by name, each with all its values in order. */
export type NormalAnswer = ReadonlyMap<string, readonly string[]>;

const headerNames = [
  ...['etag', 'content-type', 'content-range', 'accept-ranges', 'cache-control', 'content-disposition'],
  ...['content-encoding', 'content-language', 'expires', 'x-amz-mp-parts-count', 'x-amz-tagging-count'],
  ...['x-amz-delete-marker', 'x-amz-storage-class', 'x-amz-checksum-crc32', 'x-amz-checksum-sha1'],
  ...['x-amz-checksum-sha256', 'x-amz-checksum-type', 'x-amz-missing-meta'],
];
/** Of these only whether they are there: what they say differs from server to server. */
const presentNames = ['last-modified'];
const dates = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
/** The elements that answers of operations consist of (S3 API Reference, "Response Syntax" of each). */
const rootNames: Readonly<Record<string, string>> = {
  GetBucketLocation: 'LocationConstraint',
  GetBucketVersioning: 'VersioningConfiguration',
  ListObjects: 'ListBucketResult',
  ListObjectsV2: 'ListBucketResult',
  DeleteObjects: 'DeleteResult',
  CopyObject: 'CopyObjectResult',
  UploadPartCopy: 'CopyPartResult',
  CreateMultipartUpload: 'InitiateMultipartUploadResult',
  CompleteMultipartUpload: 'CompleteMultipartUploadResult',
  GetObjectTagging: 'Tagging',
  GetBucketTagging: 'Tagging',
  GetBucketCors: 'CORSConfiguration',
  GetBucketOwnershipControls: 'OwnershipControls',
  GetBucketAcl: 'AccessControlPolicy',
  GetObjectAcl: 'AccessControlPolicy',
  ListObjectVersions: 'ListVersionsResult',
  ListParts: 'ListPartsResult',
  ListMultipartUploads: 'ListMultipartUploadsResult',
};
/** Elements that say who asked or which request it was, or that only the server itself understands. */
const opaque =
  /(^|\/)(RequestId|HostId|Owner|Initiator|Location|BucketRegion|(Next)?ContinuationToken)(\/|$)/;

/**
 * What an answer says, without what may differ between two servers that both are right: dates, request ids, owners, tokens.
 * `names` are texts that stand for the same thing on every side, such as the ids of uploads, with the name to put in their place.
 */
export function normalAnswer(step: Step, answer: Answer, names: ReadonlyMap<string, string>): NormalAnswer {
  const fields = new Map<string, string[]>([['status', [String(answer.status)]]]);
  const text = answer.body.toString('utf8');
  if (answer.status >= 300) {
    const code = step.method === 'HEAD' ? undefined : textAt(readXml(text), 'Error', 'Code');
    if (code !== undefined) fields.set('code', [code]);
    if (answer.status === 304) addHeaders(fields, answer, ['etag']);
    return fields;
  }
  const isObject = step.operation === 'GetObject' || step.operation === 'HeadObject';
  addHeaders(fields, answer, isObject ? headerNames : ['etag', 'x-amz-delete-marker']);
  const versionId = answer.headers['x-amz-version-id'];
  if (versionId !== undefined) fields.set('header x-amz-version-id', [names.get(versionId) ?? versionId]);
  if (isObject) {
    addPresence(fields, answer);
    fields.set('content-length', [answer.headers['content-length'] ?? 'none']);
  }
  if (step.operation === 'GetObject') fields.set('body', [bodyText(answer.body)]);
  else if (step.operation === 'GetBucketPolicy') fields.set('policy', [JSON.stringify(JSON.parse(text))]);
  else if (text !== '') addRoot(fields, step, text, names);
  return fields;
}

function bodyText(body: Buffer): string {
  return body.length < 100
    ? body.toString('latin1')
    : `${body.toString('latin1', 0, 40)}… (${body.length} bytes)`;
}

function addHeaders(fields: Map<string, string[]>, answer: Answer, names: readonly string[]): void {
  for (const name of names) {
    const value = answer.headers[name];
    if (value !== undefined) fields.set(`header ${name}`, [value]);
  }
}

function addPresence(fields: Map<string, string[]>, answer: Answer): void {
  for (const name of presentNames) {
    if (answer.headers[name] !== undefined) fields.set(`header ${name}`, ['present']);
  }
  for (const [name, value] of Object.entries(answer.headers)) {
    if (name.startsWith('x-amz-meta-')) fields.set(`header ${name}`, [value ?? '']);
  }
}

/** Other servers call some roots otherwise, so that only Forebay's are looked at (`rootProblem`). */
function addRoot(
  fields: Map<string, string[]>,
  step: Step,
  text: string,
  names: ReadonlyMap<string, string>,
): void {
  const tree = readXml(text);
  const root = tree === undefined || typeof tree === 'string' ? undefined : tree[0];
  if (root === undefined) fields.set('xml', [text]);
  else {
    fields.set('root', [root[0]]);
    // An empty root says nothing that could differ.
    if (root[1] !== '')
      addXml(fields, root[1], names, step.operation === 'GetBucketLocation' ? 'LocationConstraint' : '');
  }
}

/** What is wrong with the name of the root element of Forebay's answer. */
export function rootProblem(step: Step, answer: NormalAnswer): Difference | undefined {
  const root = answer.get('root')?.[0];
  const wanted = rootNames[step.operation];
  return root === undefined || root === wanted
    ? undefined
    : { field: 'root', ours: root, theirs: `S3's is ${wanted}` };
}

function addXml(
  fields: Map<string, string[]>,
  tree: XmlTree,
  names: ReadonlyMap<string, string>,
  path = '',
): void {
  if (typeof tree === 'string') {
    const value = dates.test(tree) ? 'a date' : (names.get(tree) ?? tree);
    const values = fields.get(`xml ${path}`) ?? [];
    values.push(opaque.test(path) ? 'present' : value);
    fields.set(`xml ${path}`, values);
    return;
  }
  for (const [name, value] of tree) {
    const below = path === '' ? name : `${path}/${name}`;
    // Who somebody is, every server says in its own way.
    if (/(^|\/)(Owner|Initiator)$/.test(below) || (name === 'Grantee' && isUser(value)))
      addXml(fields, 'somebody', names, below);
    else addXml(fields, value, names, below);
  }
}

function isUser(grantee: XmlTree): boolean {
  return typeof grantee !== 'string' && grantee.some(([name]) => name === 'ID');
}

/** One field that is not the same on both sides. */
export interface Difference {
  readonly field: string;
  readonly ours: string;
  readonly theirs: string;
}

/** Where the status differs, the rest does as well, and is left out. */
export function differences(ours: NormalAnswer, theirs: NormalAnswer): readonly Difference[] {
  const fields =
    ours.get('status')?.[0] === theirs.get('status')?.[0] ? allFields(ours, theirs) : new Set(['status']);
  fields.delete('root');
  return [...fields].flatMap((field) => {
    const [a, b] = [shown(ours, field), shown(theirs, field)];
    return a === b ? [] : [{ field, ours: a, theirs: b }];
  });
}

function allFields(ours: NormalAnswer, theirs: NormalAnswer): Set<string> {
  return new Set([...ours.keys(), ...theirs.keys()]);
}

function shown(answer: NormalAnswer, field: string): string {
  const values = answer.get(field);
  if (values === undefined) return 'none';
  const text = values.length === 1 ? (values[0] as string) : JSON.stringify(values);
  const code = field === 'status' ? answer.get('code')?.[0] : undefined;
  return code === undefined ? text : `${text} ${code}`;
}
