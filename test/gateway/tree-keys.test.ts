import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3ServiceException,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';
import { openTreeBackend } from '../../src/ufs/tree.ts';
import { type GatewayUnderTest, startGateway } from './memory-node.ts';
import { mountOf } from './mount-of.ts';

const Bucket = 'tree';
let base: string;
let gateway: GatewayUnderTest;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'forebay-keys-'));
  // So deep that a key of 1,024 bytes does not fit behind it: a path has at most 4,096 bytes (PATH_MAX).
  const root = join(base, ...Array.from({ length: 13 }, () => 'd'.repeat(250)));
  await mkdir(join(root, 'directory'), { recursive: true });
  await writeFile(join(root, 'file'), 'x');
  await symlink(base, join(root, 'out'));
  const backend = await openTreeBackend(new NodeFileSystem(), systemClock, systemRandom, { path: root });
  const mounts = [{ mount: mountOf(Bucket, ''), backend }];
  gateway = await startGateway(new MemoryBackend(systemClock, systemRandom), mounts);
  await gateway.buckets.create({ name: Bucket, owner: 'root', kind: 'mount' });
});

afterAll(async () => {
  await gateway.close();
  await rm(base, { recursive: true });
});

interface Example {
  readonly key: string;
  readonly body?: string;
}

/** By the form of key as `docs/keys.md` has it. */
const examples: Readonly<Record<string, readonly Example[]>> = {
  'longer than 1,024 bytes': [{ key: `${'k/'.repeat(512)}k` }, { key: 'é/'.repeat(342) }],
  'with an empty name: `/a`, `a//b`': [{ key: '/a' }, { key: 'a//b' }, { key: '/' }, { key: 'a//' }],
  'with `.` or `..` as a name: `./a`, `a/../b`': [
    { key: './a' },
    { key: 'a/../b' },
    { key: '.' },
    { key: '..' },
    { key: '../up' },
  ],
  'with a name longer than 255 bytes': [{ key: 'n'.repeat(256) }, { key: `f/${'é'.repeat(128)}/k` }],
  "whose path, with the mount's own, is longer than the system allows": [
    { key: Array.from({ length: 4 }, () => 'n'.repeat(250)).join('/') },
  ],
  'with a NUL character': [{ key: 'a\0b' }],
  'with `.forebay` as a name, at any depth': [
    { key: '.forebay' },
    { key: '.forebay/meta/x%k' },
    { key: 'directory/.forebay/x' },
  ],
  '`a/b` where `a` is a file, or a link that leads out of the mount': [
    { key: 'file/b' },
    { key: 'file/b/c' },
    { key: 'out/b' },
  ],
  '`a` where `a/` is a directory, also an empty one': [{ key: 'directory' }],
  'ending with `/`, with a body or in parts': [{ key: 'folder/' }, { key: 'directory/' }],
  'ending with `/`, without a body: a folder marker': [
    { key: 'marker/', body: '' },
    { key: 'f/g/', body: '' },
  ],
};

/** The S3 code that a call is answered with, and its status. */
async function answerOf(call: Promise<unknown>): Promise<{ code: string; status: number | undefined }> {
  try {
    await call;
    return { code: 'OK', status: 200 };
  } catch (error) {
    const { name, $metadata } = error as S3ServiceException;
    return { code: name, status: $metadata?.httpStatusCode };
  }
}

async function documented(): Promise<string[][]> {
  const text = await readFile(new URL('../../docs/keys.md', import.meta.url), 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('| '));
  const cells = rows.map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
  return cells.filter(([form]) => form !== 'key' && !form?.startsWith('---'));
}

test('every form of key that the documentation names is answered as it says there', async () => {
  const rows = await documented();
  expect(rows.map(([form]) => form)).toEqual(Object.keys(examples));
  const { client } = gateway;
  for (const [form = '', ...cells] of rows) {
    const [put, get, remove] = cells.map((cell) => cell.replaceAll('`', ''));
    for (const { key: Key, body = 'x' } of examples[form] ?? []) {
      const wrote = await answerOf(
        client.send(new PutObjectCommand({ Bucket, Key, Body: body, ContentLength: body.length })),
      );
      expect([Key, wrote]).toEqual([Key, { code: put, status: put === 'OK' ? 200 : 400 }]);
      if (put !== 'OK') {
        const copied = await answerOf(
          client.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/file` })),
        );
        expect([Key, copied.code]).toEqual([Key, put]);
        const began = await answerOf(client.send(new CreateMultipartUploadCommand({ Bucket, Key })));
        // What lies in the way now may be gone when the upload is completed.
        const later = /^`a/.test(form) || form.startsWith('whose path');
        expect([Key, began.code]).toEqual([Key, later ? 'OK' : put]);
      }
      const read = await answerOf(client.send(new GetObjectCommand({ Bucket, Key })));
      expect([Key, read.code]).toEqual([Key, get]);
      const headed = await answerOf(client.send(new HeadObjectCommand({ Bucket, Key })));
      expect([Key, headed.status]).toEqual([Key, read.status]);
      const removed = await answerOf(client.send(new DeleteObjectCommand({ Bucket, Key })));
      expect([Key, removed.code]).toEqual([Key, remove]);
    }
  }
});
