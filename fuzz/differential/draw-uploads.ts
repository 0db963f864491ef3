import {
  bodyDigest,
  contents,
  copySource,
  copySourceCondition,
  keptHeaders,
  writeCondition,
} from './draw-objects.ts';
import type { Drawn } from './step.ts';
import { told } from './step.ts';
import type { DrawnUpload, World } from './world.ts';

/** The least that a part may have which is not the last (S3 User Guide, "Amazon S3 multipart upload limits"). */
const leastBytes = 5 * 1024 * 1024;

export function drawCreateUpload(world: World): Drawn {
  const { draws } = world;
  const bucket = world.allows('unknown uploads') ? world.bucket() : draws.pick(['fuzz-one', 'fuzz-two']);
  const key = world.key();
  world.uploads.push({ stepId: world.nextId, bucket, key, parts: new Map() });
  const headers = keptHeaders(world);
  return {
    operation: 'CreateMultipartUpload',
    method: 'POST',
    bucket,
    key,
    query: [['uploads', '']],
    headers,
  };
}

/** An upload of this sequence, most of the time; its id, now and then with another key. */
function someUpload(world: World): { upload?: DrawnUpload; bucket: string; key: string; id: string } {
  const { draws } = world;
  const upload = world.uploads.length === 0 ? undefined : draws.pick(world.uploads);
  if (upload === undefined || (draws.chance(0.05) && world.allows('unknown uploads'))) {
    return { bucket: world.bucket(), key: world.key(), id: 'nonsense' };
  }
  if (draws.chance(0.03) && world.allows('uploads of other keys'))
    return { ...known(upload), key: world.key() };
  return known(upload);
}

function known(upload: DrawnUpload) {
  return { upload, bucket: upload.bucket, key: upload.key, id: told('upload', upload.stepId) };
}

/** Of an upload that may have ended no more is asked, where unknown ones are not asked for. */
function forget(world: World, upload: DrawnUpload | undefined): void {
  if (upload === undefined || world.allows('unknown uploads')) return;
  world.uploads.splice(world.uploads.indexOf(upload), 1);
}

function partNumber(world: World): number | string {
  if (world.draws.chance(0.05) && world.allows('odd part numbers')) {
    return world.draws.pick(['0', '10001', '-1', 'x', '10000']);
  }
  return 1 + world.draws.below(3);
}

export function drawPart(world: World): Drawn {
  const { draws } = world;
  const { upload, bucket, key, id } = someUpload(world);
  const number = partNumber(world);
  const large = draws.chance(0.06);
  const small = draws.pick(contents);
  const body = large ? { of: draws.pick(['ab', 'cd']), bytes: leastBytes } : small;
  if (typeof number === 'number') upload?.parts.set(number, { stepId: world.nextId, large });
  const headers = !large && draws.chance(0.2) ? bodyDigest(world, small) : {};
  const query = [
    ['partNumber', String(number)],
    ['uploadId', id],
  ] as const;
  return { operation: 'UploadPart', method: 'PUT', bucket, key, query, headers, body };
}

export function drawPartCopy(world: World): Drawn {
  const { draws } = world;
  const { upload, bucket, key, id } = someUpload(world);
  const from = world.place();
  const number = partNumber(world);
  const headers: Record<string, string> = { 'x-amz-copy-source': copySource(world, from) };
  if (draws.chance(0.5)) {
    headers['x-amz-copy-source-range'] = draws.pick([
      'bytes=0-0',
      'bytes=0-4',
      'bytes=2-3',
      'bytes=0-99999',
      'bytes=1-',
    ]);
  }
  if (draws.chance(0.2)) Object.assign(headers, copySourceCondition(world, from));
  if (typeof number === 'number') upload?.parts.set(number, { stepId: world.nextId, large: false });
  const query = [
    ['partNumber', String(number)],
    ['uploadId', id],
  ] as const;
  return { operation: 'UploadPartCopy', method: 'PUT', bucket, key, query, headers };
}

export function drawComplete(world: World): Drawn {
  const { draws } = world;
  const { upload, bucket, key, id } = someUpload(world);
  const parts = [...(upload?.parts ?? [])].sort(([a], [b]) => a - b);
  let listed = parts.map(([number, { stepId }]) => [number, told('etag', stepId)] as const);
  const isSmall = parts.slice(0, -1).some(([, { large }]) => !large);
  // Of several small parts one can be taken alone, and then it is the last.
  if (isSmall && draws.chance(0.7)) listed = [draws.pick(listed)];
  if (draws.chance(0.2) && world.allows('wrong ends')) listed = spoilt(world, listed);
  const body = `<CompleteMultipartUpload>${listed
    .map(([number, etag]) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`)
    .join('')}</CompleteMultipartUpload>`;
  world.puts.push({ stepId: world.nextId, bucket, key });
  forget(world, upload);
  const headers = draws.chance(0.1) ? writeCondition(world, bucket, key) : {};
  const query = [['uploadId', id]] as const;
  return { operation: 'CompleteMultipartUpload', method: 'POST', bucket, key, query, headers, body };
}

type Listed = readonly (readonly [number: number, etag: string])[];

function spoilt(world: World, listed: Listed): (readonly [number, string])[] {
  const wrongTag = ([number]: readonly [number, string]) =>
    [number, '"00000000000000000000000000000000"'] as const;
  return world.draws.pick([
    () => listed.map(wrongTag),
    () => [...listed].reverse(),
    () => [...listed, [7, '"00000000000000000000000000000000"'] as const],
    () => [],
    () => [...listed, ...listed],
  ])();
}

export function drawAbort(world: World): Drawn {
  const { upload, bucket, key, id } = someUpload(world);
  forget(world, upload);
  return { operation: 'AbortMultipartUpload', method: 'DELETE', bucket, key, query: [['uploadId', id]] };
}

export function drawListParts(world: World): Drawn {
  const { draws } = world;
  const { bucket, key, id } = someUpload(world);
  const query: [string, string][] = [['uploadId', id]];
  if (!world.allows('pages of parts')) return { operation: 'ListParts', method: 'GET', bucket, key, query };
  if (draws.chance(0.3)) query.push(['max-parts', draws.pick(['1', '2', '1000', '5000', '0'])]);
  if (draws.chance(0.3)) query.push(['part-number-marker', draws.pick(['0', '1', '2', '9'])]);
  return { operation: 'ListParts', method: 'GET', bucket, key, query };
}

export function drawListUploads(world: World): Drawn {
  const { draws } = world;
  const query: [string, string][] = [['uploads', '']];
  const pages = world.allows('pages of uploads');
  if (draws.chance(0.3)) query.push(['prefix', world.key().slice(0, 1 + draws.below(2))]);
  if (draws.chance(0.3) && pages) query.push(['delimiter', '/']);
  if (draws.chance(0.3) && pages) query.push(['max-uploads', draws.pick(['1', '2', '1000'])]);
  if (draws.chance(0.2) && pages) query.push(['key-marker', world.key()]);
  return { operation: 'ListMultipartUploads', method: 'GET', bucket: world.bucket(), query };
}
