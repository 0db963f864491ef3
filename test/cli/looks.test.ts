import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { rulesWithWords } from '../../src/admin/rule-words.ts';
import { until } from '../support/until.ts';
import { expectGolden, settled } from './golden.ts';
import { type Key, OneNode, rootKey, type Said } from './one-node.ts';

const MiB = 1024 * 1024;
const keyOf = (name: string): Key => ({ accessKeyId: `KEYOF${name}`, secretAccessKey: `secret-of-${name}` });
const people = { ann: keyOf('ann'), bob: keyOf('bob'), reader: keyOf('reader'), off: keyOf('off') };
const nobody = keyOf('nobody');
const policies = { ann: 'readwrite', bob: 'readwrite', reader: 'readonly', off: 'readwrite' };

let node: OneNode;
const clients = new Map<string, S3Client>();

function as(key: Key): S3Client {
  const client = clients.get(key.secretAccessKey) ?? node.client(key);
  clients.set(key.secretAccessKey, client);
  return client;
}

/** The id of the answer that refused it. */
async function refused(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return (error as { $metadata: { requestId: string } }).$metadata.requestId;
  }
  throw new Error('it was not refused');
}

beforeAll(async () => {
  node = await OneNode.start({ FOREBAY_CACHE_MEMORY: '4MiB', FOREBAY_CACHE_DISK: '64MiB' });
  for (const [name, { accessKeyId, secretAccessKey }] of Object.entries(people)) {
    const policy = policies[name as keyof typeof policies];
    const given = `--policy ${policy} --access-key-id ${accessKeyId} --secret-access-key ${secretAccessKey}`;
    await node.forebay(`user create ${name} ${given}`);
  }
  await node.forebay(`user key disable off ${people.off.accessKeyId}`);
  const readOnly = join(node.folder, 'read-only');
  await mkdir(join(readOnly, 'deep'), { recursive: true });
  await writeFile(join(readOnly, 'deep/file.bin'), Buffer.alloc(9 * MiB, 3));
  await writeFile(join(readOnly, 'deep/table.bin'), Buffer.alloc(2 * MiB, 4));
  await node.forebay(`mount add files file://${readOnly} --read-only --owner ann --freshness lease:1h`);
  await as(people.ann).send(new CreateBucketCommand({ Bucket: 'hers' }));
  await as(people.ann).send(new PutObjectCommand({ Bucket: 'hers', Key: 'a b', Body: 'hello' }));
  await as(people.ann).send(new CreateBucketCommand({ Bucket: 'open' }));
  await as(people.ann).send(new PutObjectCommand({ Bucket: 'open', Key: 'pub/x', Body: 'hello' }));
  const statement = (effect: string, action: string, resource: string, sid?: string) => ({
    Effect: effect,
    Principal: '*',
    Action: action,
    Resource: `arn:aws:s3:::open${resource}`,
    ...(sid ? { Sid: sid } : {}),
  });
  const Policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      statement('Allow', 's3:GetObject', '/pub/*'),
      statement('Allow', 's3:ListBucket', ''),
      statement('Deny', 's3:DeleteObject', '/*', 'NobodyDeletes'),
    ],
  });
  await as(people.ann).send(new PutBucketPolicyCommand({ Bucket: 'open', Policy }));
}, 60_000);
afterAll(async () => {
  for (const client of clients.values()) client.destroy();
  await node?.close();
});

/** What stands for what differs from run to run. */
const golden = (name: string, { out, err, exitCode }: Said) =>
  expectGolden(
    name,
    settled(`${out}${err === '' ? '' : `stderr: ${err}`}\nexit ${exitCode}`, { [node.folder]: 'FOLDER' })
      .replaceAll(/\b(\d+[dhms] ?)+ ago/g, 'AGO ago')
      .replaceAll(/\b[0-9A-F]{16}\b/g, 'REQUESTID')
      .replaceAll(/\b[0-9a-f]{32}-0\b/g, 'ETAG')
      // The beginning of a worker's id, in a column of its own.
      .replaceAll(/ {2}[0-9a-f]{8} {2}/g, '  WORKER  '),
  );

describe('forebay explain of an object', () => {
  test('that nobody has read knows nothing of it', async () => {
    await golden('explain-unknown', await node.forebay('explain s3://files/deep/file.bin'));
  });

  test('that is cached in part tells which pages are here, and of which version', async () => {
    const read = { Bucket: 'files', Key: 'deep/file.bin' };
    const first = await as(people.ann).send(new GetObjectCommand({ ...read, Range: 'bytes=0-99' }));
    await first.Body?.transformToByteArray();
    const last = await as(people.ann).send(new GetObjectCommand({ ...read, Range: 'bytes=9000000-9000099' }));
    await last.Body?.transformToByteArray();
    // Pages are written to disk when their readers have been answered.
    await until(async () => {
      const { out } = await node.forebay('explain s3://files/deep/file.bin --json');
      const { nodes, mount, readOnly } = JSON.parse(out);
      expect([mount, readOnly, nodes[0].told.held.pages]).toEqual(['files', true, 3]);
      return JSON.stringify(nodes[0].told.held.runs) === '[[0,1],[2,3]]';
    });
    await golden('explain-cached', await node.forebay('explain s3://files/deep/file.bin --check'));
  });

  test('tells what was set for it, and for which prefix, and whether one of its size is kept', async () => {
    await node.forebay('policy set s3://files --ttl 7d --exclude *.tmp --quota 40MiB --freshness lease:10m');
    await node.forebay('policy set s3://files/deep --pin yes --priority high --quota 20MiB --max-size 1GiB');
    await golden('explain-policy', await node.forebay('explain s3://files/deep/table.bin --check'));
    await golden('explain-excluded', await node.forebay('explain s3://files/deep/table.tmp'));
    await node.forebay('policy set s3://files/deep --max-size 1MiB --freshness always');
    const { policy } = JSON.parse(
      (await node.forebay('explain s3://files/deep/table.bin --check --json')).out,
    );
    expect(policy.kept).toBe('never');
    expect(policy.fields).toContainEqual({ name: 'maxSize', value: '1MiB', from: 's3://files/deep/' });
    expect(policy.fields).toContainEqual({ name: 'freshness', value: 'always', from: 's3://files/deep/' });
    const { fields } = JSON.parse(
      (await node.forebay('policy explain s3://files/deep/table.bin --json')).out,
    );
    expect(policy.fields).toEqual(fields);
    for (const target of ['s3://files/deep', 's3://files']) await node.forebay(`policy remove ${target}`);
  });

  test('that others changed at the storage shows that what is known of it is another version', async () => {
    await writeFile(join(node.folder, 'read-only/deep/file.bin'), 'short');
    const { out } = await node.forebay('explain s3://files/deep/file.bin --check');
    expect(out).toContain('another version than its owner knows: ETag');
  });

  test('that was deleted tells so, and that its pages were given up', async () => {
    const about = { Bucket: 'hers', Key: 'gone' };
    await as(people.ann).send(new PutObjectCommand({ ...about, Body: 'to be deleted' }));
    const got = await as(people.ann).send(new GetObjectCommand(about));
    await got.Body?.transformToByteArray();
    await as(people.ann).send(new DeleteObjectCommand(about));
    const { out } = await node.forebay('explain s3://hers/gone --check');
    expect(out).toMatch(
      /evicted +\w+ gave up 1 page, the last one \d+s ago because the object was changed or deleted/,
    );
    expect(out).toMatch(/storage now +there is no such object/);
    expect(out).toMatch(/pages +none/);
  });

  test.each([
    ['explain-no-bucket', 'explain s3://none/key'],
    ['explain-no-key', 'explain s3://hers'],
    ['explain-no-uri', 'explain hers/key'],
    ['explain-nothing', 'explain'],
    ['explain-stray-flag', 'explain s3://hers/key --action s3:GetObject'],
    ['explain-no-action', 'explain s3://hers/key --as KEYOFann --action s3:Fly'],
    ['explain-no-request', 'explain --request 0123456789ABCDEF'],
  ])('%s', async (name, line) => golden(name, await node.forebay(line)));
});

describe('forebay explain --as', () => {
  test.each([
    ['as-owner', 's3://hers/a+b --as KEYOFann'],
    ['as-another', 's3://hers/a+b --as KEYOFbob'],
    ['as-anybody', 's3://open/pub/x --as anonymous'],
    ['as-denied', 's3://open/pub/x --as KEYOFann --action s3:DeleteObject'],
    ['as-admin', `s3://hers/a+b --as ${rootKey.accessKeyId} --action s3:deleteobject`],
    ['as-readonly', 's3://hers/x --as KEYOFreader --action s3:PutObject'],
    ['as-without-key', 's3://hers --as KEYOFreader --action s3:PutObject'],
    ['as-disabled', 's3://hers/a+b --as KEYOFoff'],
    ['as-unknown', 's3://hers/a+b --as KEYOFnobody'],
    ['as-writer-of-files', 's3://files/new --as KEYOFann --action s3:PutObject'],
  ])('%s', async (name, line) => {
    const words = `explain ${line}`.split(' ').map((word) => word.replace('+', ' '));
    await golden(`explain-${name}`, await node.forebay(words));
  });

  /** What a request does, and what it is called. */
  const operations: readonly [string, (client: S3Client, Bucket: string, Key: string) => Promise<unknown>][] =
    [
      ['s3:GetObject', (client, Bucket, Key) => client.send(new HeadObjectCommand({ Bucket, Key }))],
      [
        's3:PutObject',
        (client, Bucket, Key) => client.send(new PutObjectCommand({ Bucket, Key, Body: 'hello' })),
      ],
      ['s3:ListBucket', (client, Bucket) => client.send(new ListObjectsV2Command({ Bucket }))],
      [
        's3:DeleteObject',
        (client, Bucket) => client.send(new DeleteObjectCommand({ Bucket, Key: 'not-there' })),
      ],
    ];
  const callers: readonly [string, Key][] = [
    ['root', rootKey],
    ...(Object.entries(people) as [string, Key][]),
    ['nobody', nobody],
  ];

  test.each(callers)('says of %s what a request is answered', async (_name, key) => {
    for (const [action, send] of operations) {
      for (const [bucket, object] of [
        ['hers', 'a b'],
        ['open', 'pub/x'],
        ['open', 'not-there'],
        ['files', 'not-there'],
        ['none', 'x'],
      ] as const) {
        const at = action === 's3:DeleteObject' ? 'not-there' : object;
        const target = `s3://${bucket}${action === 's3:ListBucket' ? '' : `/${at}`}`;
        const line = ['explain', target, '--as', key.accessKeyId, '--action', action, '--json'];
        const { isAllowed, rule } = JSON.parse((await node.forebay(line)).out);
        const status = await send(as(key), bucket, object).then(
          () => 200,
          (error) => (error as { $metadata: { httpStatusCode: number } }).$metadata.httpStatusCode,
        );
        const isRefused = status === 403 || (status === 404 && bucket === 'none');
        expect([action, target, rule, isAllowed]).toEqual([action, target, rule, !isRefused]);
        expect(rulesWithWords.has(rule)).toBe(true);
      }
    }
  });
});

describe('forebay explain --request', () => {
  const get = (key: Key, Bucket: string, Key: string) => as(key).send(new GetObjectCommand({ Bucket, Key }));
  const put = (key: Key, Bucket: string, Key: string) =>
    as(key).send(new PutObjectCommand({ Bucket, Key, Body: 'x' }));

  test.each<[string, string, () => Promise<unknown>]>([
    [
      'bucket-of-another',
      'request-list',
      () => as(people.bob).send(new ListObjectsV2Command({ Bucket: 'hers' })),
    ],
    ['object-of-another', 'request-object', () => get(people.bob, 'hers', 'a b')],
    [
      'policy-denies',
      'request-policy',
      () => as(people.ann).send(new DeleteObjectCommand({ Bucket: 'open', Key: 'pub/x' })),
    ],
    ['readonly-may-only-read', 'request-readonly', () => put(people.reader, 'hers', 'x')],
    ['may-not-know-of-keys', 'request-absent', () => get(people.bob, 'hers', 'not there')],
    ['key-is-disabled', 'request-disabled', () => get(people.off, 'hers', 'a b')],
    ['key-is-not-known', 'request-unknown', () => get(nobody, 'hers', 'a b')],
    [
      'SignatureDoesNotMatch',
      'request-signature',
      () => get({ ...people.ann, secretAccessKey: 'another-secret' }, 'hers', 'a b'),
    ],
    ['storage-read-only', 'request-read-only', () => put(people.ann, 'files', 'x')],
    [
      'expected-bucket-owner',
      'request-owner',
      () => as(people.ann).send(new ListObjectsV2Command({ Bucket: 'hers', ExpectedBucketOwner: 'bob' })),
    ],
  ])('names the rule %s', async (rule, name, send) => {
    const id = await refused(send());
    const said = await node.forebay(`explain --request ${id} --json`);
    const { rule: told, code } = JSON.parse(said.out);
    expect(told ?? code).toBe(rule);
    await golden(name, await node.forebay(`explain --request ${id}`));
  });

  test('tells of a clock that is wrong how wrong it is', async () => {
    const past = new S3Client({
      endpoint: node.running.s3Url,
      region: 'us-east-1',
      credentials: people.ann,
      forcePathStyle: true,
      maxAttempts: 1,
      systemClockOffset: -3_600_000,
    });
    const id = await refused(past.send(new GetObjectCommand({ Bucket: 'hers', Key: 'a b' })));
    past.destroy();
    const { out } = await node.forebay(`explain --request ${id}`);
    expect(out).toMatch(/detail +the request says \d{8}T\d{6}Z, the node has \d{4}-/);
  });

  test('is for administrators, and clients are not told the rule', async () => {
    const answer = await fetch(`${node.running.s3Url}/hers/a%20b`);
    const body = await answer.text();
    expect(answer.status).toBe(403);
    expect(`${body}${JSON.stringify([...answer.headers])}`).not.toMatch(/of-another|policy-|NobodyDeletes/);
    const id = answer.headers.get('x-amz-request-id');
    await golden('request-no-rights', await node.forebay(`explain --request ${id}`, people.ann));
    for (const line of ['explain s3://hers/a', 'explain s3://hers/a --as KEYOFann', 'status', 'audit']) {
      expect((await node.forebay(line, people.ann)).err).toBe('forebay: ann is no administrator');
    }
  });

  test('shows no secret of the request', async () => {
    const url = `${node.running.s3Url}/hers/a?X-Amz-Security-Token=the-token&X-Amz-Algorithm=x&X-Amz-Credential=KEYOFann%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=abc`;
    const answer = await fetch(url);
    const id = answer.headers.get('x-amz-request-id');
    const { out } = await node.forebay(`explain --request ${id}`);
    expect(out).toContain('KEYOFann');
    expect(out).not.toContain('the-token');
  });
});

describe('forebay status', () => {
  test('shows a node that is well, and what is wrong with a mount', async () => {
    const well = await node.forebay('status --json');
    expect([well.exitCode, JSON.parse(well.out).health]).toEqual([0, 'ok']);
    const away = join(node.folder, 'away');
    await mkdir(away);
    await node.forebay(`mount add away file://${away}`);
    await rm(away, { recursive: true });
    // Storages are asked once in some seconds.
    await node.end();
    await node.open();
    const ill = await node.forebay('status');
    expect(ill.exitCode).toBe(1);
    expect(ill.out).toMatch(/^forebay error {2}1 node {2}/);
    expect(ill.out).toMatch(
      /error {4}the storage of away cannot be used: .*\n {9}run forebay mount check away/,
    );
    expect(ill.out).toMatch(/away +file:.* +no: /);
    await node.forebay('mount remove away');
  });

  test('says how to reach a node that does not answer', async () => {
    const url = node.running.adminUrl;
    await node.end();
    const environment = { FOREBAY_ADMIN_URL: url, AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'B' };
    const { run } = await import('../../src/cli/run.ts');
    let err = '';
    const exitCode = await run(['status'], {
      environment,
      print: () => {},
      printError: (text) => {
        err += text;
      },
    });
    await golden('status-away', { exitCode, out: '', err });
    await node.open();
  });
});

test('forebay audit shows what was changed and refused, over a restart', async () => {
  const { out, exitCode } = await node.forebay('audit');
  expect(exitCode).toBe(0);
  expect(out).toMatch(/KEYOFann\? .* refused: AccessDenied|AddMount/);
  expect(out).toMatch(/root .*CreateUser +OK +\/v1\/users: name ann, policy readwrite/);
  expect(out).toMatch(/DisableKey +OK +\S+: keys\.0\.disabled false → true/);
  expect(out).not.toContain('secret-of-');
  await golden('audit-one', await node.forebay('audit --change DisableKey --user root'));
  await golden('audit-none', await node.forebay('audit --since 2999-01-01T00:00:00Z'));
  await golden('audit-limit', await node.forebay('audit --limit 1001'));
  await golden('audit-since', await node.forebay('audit --since soon'));
});
