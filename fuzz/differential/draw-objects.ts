import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { strict } from '../lib/s3-side.ts';
import type { Drawn } from './step.ts';
import type { World } from './world.ts';

export const contents = ['', 'a', 'hello', 'The quick brown fox jumps over the lazy dog'];
const long = { of: 'xy', bytes: 3000 };

const past = 'Tue, 01 Jan 2019 00:00:00 GMT';
const future = 'Fri, 01 Jan 2100 00:00:00 GMT';

/** Headers that are kept with an object. */
export function keptHeaders(world: World): Record<string, string> {
  const { draws } = world;
  const headers: Record<string, string> = {};
  const maybe = (name: string, values: readonly string[]): void => {
    if (draws.chance(0.15)) headers[name] = draws.pick(values);
  };
  maybe('Content-Type', ['text/plain', 'application/x-directory', 'text/html; charset=utf-8']);
  maybe('Cache-Control', ['no-cache', 'max-age=60']);
  maybe('Content-Disposition', ['attachment; filename="a b.txt"', 'inline']);
  maybe('Content-Encoding', ['gzip', 'identity']);
  maybe('Content-Language', ['de', 'en, fr']);
  maybe('Expires', [future]);
  maybe('x-amz-meta-a', ['1', 'two words', 'a=b&c']);
  maybe('x-amz-meta-long-name', ['v'.repeat(50), '']);
  if (world.offers('PutObjectTagging')) maybe('x-amz-tagging', ['a=1', 'a=1&b=two%20words', 'k']);
  return headers;
}

export function drawPut(world: World): Drawn {
  const { draws } = world;
  const { bucket, key } = draws.chance(0.5) ? world.place() : { bucket: world.bucket(), key: world.key() };
  const body = draws.pick([...contents, long]);
  const headers: Record<string, string> = keptHeaders(world);
  if (typeof body === 'string' && draws.chance(0.2)) Object.assign(headers, bodyDigest(world, body));
  if (draws.chance(0.2)) Object.assign(headers, writeCondition(world, bucket, key));
  world.puts.push({ stepId: world.nextId, bucket, key });
  return { operation: 'PutObject', method: 'PUT', bucket, key, headers, body };
}

/** A digest of the body, now and then of another. */
export function bodyDigest(world: World, body: string): Record<string, string> {
  const { draws } = world;
  const of = draws.chance(0.2) && world.allows('wrong digests') ? `${body}!` : body;
  const kind = draws.pick(['md5', 'crc32', 'sha1', 'sha256']);
  if (kind === 'md5') return { 'Content-MD5': createHash('md5').update(of).digest('base64') };
  if (kind === 'crc32') return { 'x-amz-checksum-crc32': crc32Text(of) };
  return { [`x-amz-checksum-${kind}`]: createHash(kind).update(of).digest('base64') };
}

function crc32Text(text: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(text));
  return bytes.toString('base64');
}

export function writeCondition(world: World, bucket: string, key: string): Record<string, string> {
  if (!world.allows('write conditions')) return {};
  if (world.draws.chance(0.5)) return { 'If-None-Match': '*' };
  return { 'If-Match': world.etag(bucket, key) };
}

const ranges = [
  ...[
    'bytes=0-0',
    'bytes=0-4',
    'bytes=1-',
    'bytes=-1',
    'bytes=-5',
    'bytes=4-2',
    'bytes=2-4',
    'bytes=0-999999',
  ],
  ...['bytes=5-', 'bytes=43-', 'bytes=42-42', 'bytes=2999-', 'bytes=3000-', 'bytes=-0', 'bytes=-999999'],
];
/** What S3 ignores. */
const oddRanges = ['bytes=', 'bytes=-', 'bytes=a-b', 'items=0-1', 'bytes=0-1,3-4', 'bytes 0-1', '0-1'];

export function drawGet(world: World): Drawn {
  return drawRead(world, 'GetObject', 'GET');
}

export function drawHead(world: World): Drawn {
  return drawRead(world, 'HeadObject', 'HEAD');
}

function drawRead(world: World, operation: string, method: string): Drawn {
  const { draws } = world;
  const { bucket, key } = world.place();
  const headers: Record<string, string> = {};
  const query: [string, string][] = [];
  const ranged = method === 'GET' || world.allows('ranges of HEAD');
  if (ranged && draws.chance(0.35)) headers.Range = draws.pick(ranges);
  else if (ranged && draws.chance(0.1) && world.allows('odd ranges')) headers.Range = draws.pick(oddRanges);
  if (draws.chance(0.3)) Object.assign(headers, readCondition(world, bucket, key));
  if (draws.chance(0.1) && headers.Range !== undefined && world.allows('If-Range')) {
    headers['If-Range'] = draws.pick([world.etag(bucket, key), past, future]);
  }
  if (draws.chance(0.1)) query.push(['response-content-type', 'text/x-other']);
  if (draws.chance(0.05)) query.push(['response-cache-control', 'no-store']);
  if (draws.chance(0.05)) query.push(['response-content-disposition', 'attachment; filename="ü.txt"']);
  if (draws.chance(0.1) && world.allows('partNumber'))
    query.push(['partNumber', draws.pick(['1', '2', '3', '0', 'x'])]);
  if (draws.chance(0.15)) headers['x-amz-checksum-mode'] = 'ENABLED';
  if (draws.chance(0.03) && world.allows('versionId'))
    query.push(['versionId', draws.pick(['null', 'nonsense'])]);
  return { operation, method, bucket, key, query, headers };
}

function readCondition(world: World, bucket: string, key: string): Record<string, string> {
  const { draws } = world;
  const headers: Record<string, string> = {};
  if (draws.chance(0.4)) headers['If-Match'] = draws.chance(0.8) ? world.etag(bucket, key) : '*';
  const any = draws.chance(0.2) && world.allows('If-None-Match: *');
  if (draws.chance(0.3)) headers['If-None-Match'] = any ? '*' : world.etag(bucket, key);
  if (draws.chance(0.2)) headers['If-Modified-Since'] = draws.pick([past, future]);
  if (draws.chance(0.2)) headers['If-Unmodified-Since'] = draws.pick([past, future]);
  return headers;
}

export function drawCopy(world: World): Drawn {
  const { draws } = world;
  const from = world.place();
  const { bucket, key } = draws.chance(0.3) ? world.place() : { bucket: world.bucket(), key: world.key() };
  const replaces = draws.chance(0.4);
  const headers: Record<string, string> = {
    ...(replaces || draws.chance(0.1) ? keptHeaders(world) : {}),
    'x-amz-copy-source': copySource(world, from),
  };
  if (replaces) headers['x-amz-metadata-directive'] = 'REPLACE';
  else if (draws.chance(0.2)) headers['x-amz-metadata-directive'] = 'COPY';
  if (draws.chance(0.25)) Object.assign(headers, copySourceCondition(world, from));
  if (draws.chance(0.15) && world.allows('conditions of copies')) {
    Object.assign(headers, writeCondition(world, bucket, key));
  }
  world.puts.push({ stepId: world.nextId, bucket, key });
  return { operation: 'CopyObject', method: 'PUT', bucket, key, headers };
}

export function copySource(world: World, { bucket, key }: { bucket: string; key: string }): string {
  const path = key.split('/').map(strict).join('/');
  return `${world.draws.chance(0.5) ? '/' : ''}${bucket}/${path}`;
}

export function copySourceCondition(
  world: World,
  from: { bucket: string; key: string },
): Record<string, string> {
  if (!world.allows('conditions on sources')) return {};
  return world.draws.pick<Record<string, string>>([
    { 'x-amz-copy-source-if-match': world.etag(from.bucket, from.key) },
    { 'x-amz-copy-source-if-none-match': world.etag(from.bucket, from.key) },
    { 'x-amz-copy-source-if-modified-since': past },
    { 'x-amz-copy-source-if-unmodified-since': world.draws.pick([past, future]) },
  ]);
}

export function drawDelete(world: World): Drawn {
  const { bucket, key } = world.place();
  const headers: Record<string, string> = {};
  if (world.draws.chance(0.15) && world.allows('conditions of deletes')) {
    headers['If-Match'] = world.etag(bucket, key);
  }
  return { operation: 'DeleteObject', method: 'DELETE', bucket, key, headers };
}

const xmlText = (text: string): string => text.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);

export function drawDeleteObjects(world: World): Drawn {
  const { draws } = world;
  const least = world.allows('malformed deletions') ? 0 : 1;
  const keys = draws.list(least + draws.below(4), () => world.key());
  const objects = [...new Set(keys)].map((key) => `<Object><Key>${xmlText(key)}</Key></Object>`);
  const quiet = draws.pick(['', '<Quiet>true</Quiet>', '<Quiet>false</Quiet>']);
  const whole = `<Delete>${objects.join('')}${quiet}</Delete>`;
  const body =
    draws.chance(0.07) && world.allows('malformed deletions')
      ? draws.pick([whole.slice(0, -3), '', '<Other/>'])
      : whole;
  const headers: Record<string, string> = {};
  if (!draws.chance(0.05)) headers['Content-MD5'] = createHash('md5').update(body).digest('base64');
  const bucket = world.bucket();
  return { operation: 'DeleteObjects', method: 'POST', bucket, query: [['delete', '']], headers, body };
}

const tagSets: readonly (readonly (readonly [string, string])[])[] = [
  [],
  [['a', '1']],
  [
    ['a', '1'],
    ['b c', 'two words'],
  ],
  [['k', '']],
];

/** Reads, writes and removes the tags of an object. */
export function drawTagging(world: World): Drawn {
  const { draws } = world;
  const { bucket, key } = world.place();
  const query = [['tagging', '']] as const;
  const kind = draws.pick(['GetObjectTagging', 'PutObjectTagging', 'DeleteObjectTagging'] as const);
  if (kind === 'GetObjectTagging') return { operation: kind, method: 'GET', bucket, key, query };
  if (kind === 'DeleteObjectTagging') return { operation: kind, method: 'DELETE', bucket, key, query };
  const tags = draws
    .pick(tagSets)
    .map(([name, value]) => `<Tag><Key>${name}</Key><Value>${value}</Value></Tag>`);
  const body = `<Tagging><TagSet>${tags.join('')}</TagSet></Tagging>`;
  return { operation: kind, method: 'PUT', bucket, key, query, body };
}
