import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { afterEach, expect, test } from '@jest/globals';
import { systemClock } from '../../../src/common/clock.ts';
import { WriteQuestions } from '../../../src/gateway/routing/write-questions.ts';
import { until } from '../../support/until.ts';
import { someBytes, TestBody } from '../../support/upload-body.ts';
import { sendSigned } from '../signed-request.ts';
import { callsOf, type RingNode, RingNodes } from './ring-nodes.ts';

const patienceMs = 120_000;
const Bucket = 'pages';
let ring: RingNodes;
afterEach(() => ring?.close());

const nameOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: Error) => error.name,
  );

async function textOf({ gateway }: RingNode, Key: string): Promise<string> {
  try {
    const { Body } = await gateway.client.send(new GetObjectCommand({ Bucket, Key }));
    return (await Body?.transformToString()) ?? '';
  } catch (error) {
    return (error as Error).name;
  }
}

const put = ({ gateway }: RingNode, Key: string, Body: string | Buffer, IfMatch?: string) =>
  gateway.client.send(new PutObjectCommand({ Bucket, Key, Body, IfMatch }));

/** What is sent straight to a node, as another node's change. */
function sendWrite(from: RingNode, to: RingNode, key: string, changes: Record<string, unknown> = {}) {
  const { generation, epoch } = from.ownership.view();
  const body = new TestBody('from a peer');
  const write = {
    op: 'write',
    view: { generation, epoch },
    hops: 1,
    bucket: Bucket,
    key,
    incarnation: ring.mount.incarnation,
    call: 'putObject',
    input: { headers: {}, userMetadata: {} },
    body: { sizeBytes: body.sizeBytes },
    ...changes,
  } as const;
  const member = from.ownership.view().member(to.workerId);
  if (!member) throw new Error('it is no member');
  return new WriteQuestions(systemClock, from.pool).send(member, write, { body });
}

test(
  'every kind of change goes through any node, and every node sees it at once',
  async () => {
    ring = await RingNodes.start(3);
    const { owner, others } = ring.rolesOf('k');
    const [one, two] = others as [RingNode, RingNode];
    for (const node of ring.nodes) expect(await textOf(node, 'k')).toBe('NoSuchKey');
    const made = await put(one, 'k', 'first');
    for (const node of ring.nodes) expect(await textOf(node, 'k')).toBe('first');
    expect(await nameOf(put(two, 'k', 'never', '"other"'))).toBe('PreconditionFailed');
    expect(await nameOf(put(two, 'k', 'second', made.ETag))).toBe('done');
    for (const node of ring.nodes) expect(await textOf(node, 'k')).toBe('second');
    const { client } = one.gateway;
    const TagSet = [{ Key: 'colour', Value: 'blue' }];
    await client.send(new PutObjectTaggingCommand({ Bucket, Key: 'k', Tagging: { TagSet } }));
    const tags = await two.gateway.client.send(new GetObjectTaggingCommand({ Bucket, Key: 'k' }));
    expect(tags.TagSet).toEqual(TagSet);
    for (const Key of ['copy-1', 'copy-2', 'copy-3', 'copy-4']) {
      const copied = { Bucket, Key, CopySource: `${Bucket}/k` };
      await client.send(new CopyObjectCommand(copied));
      for (const node of ring.nodes) expect(await textOf(node, Key)).toBe('second');
      const refused = new CopyObjectCommand({ ...copied, CopySourceIfMatch: '"other"' });
      expect(await nameOf(client.send(refused))).toBe('PreconditionFailed');
    }
    await two.gateway.client.send(new DeleteObjectCommand({ Bucket, Key: 'k' }));
    for (const node of ring.nodes) expect(await textOf(node, 'k')).toBe('NoSuchKey');
    const Objects = ['copy-1', 'copy-2', 'copy-3', 'copy-4'].map((Key) => ({ Key }));
    const deleted = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    expect(deleted.Deleted?.length).toBe(4);
    for (const node of ring.nodes) expect(await textOf(node, 'copy-3')).toBe('NoSuchKey');
    expect(owner.gateway).toBeDefined();
  },
  patienceMs,
);

test(
  'an upload in parts goes through several nodes, with parts that are copied',
  async () => {
    ring = await RingNodes.start(3);
    const { owner, others } = ring.rolesOf('m');
    const [one, two] = others as [RingNode, RingNode];
    const source = someBytes(6 * 1024 * 1024, 3);
    await put(one, 'source', source);
    const { UploadId } = await one.gateway.client.send(
      new CreateMultipartUploadCommand({ Bucket, Key: 'm' }),
    );
    const part = { Bucket, Key: 'm', UploadId };
    const first = await two.gateway.client.send(
      new UploadPartCopyCommand({ ...part, PartNumber: 1, CopySource: `${Bucket}/source` }),
    );
    const body = someBytes(700_000, 4);
    const second = await one.gateway.client.send(
      new UploadPartCommand({ ...part, PartNumber: 2, Body: body }),
    );
    const Parts = [
      { PartNumber: 1, ETag: first.CopyPartResult?.ETag },
      { PartNumber: 2, ETag: second.ETag },
    ];
    await owner.gateway.client.send(
      new CompleteMultipartUploadCommand({ ...part, MultipartUpload: { Parts } }),
    );
    for (const node of ring.nodes) {
      const { Body } = await node.gateway.client.send(new GetObjectCommand({ Bucket, Key: 'm' }));
      const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
      expect(bytes.equals(Buffer.concat([source, body]))).toBe(true);
    }
    const abort = new AbortMultipartUploadCommand({ ...part, UploadId: 'none' });
    expect(await nameOf(two.gateway.client.send(abort))).toBe('NoSuchUpload');
  },
  patienceMs,
);

test(
  'a body that does not hold what its client said never becomes an object, through any node',
  async () => {
    ring = await RingNodes.start(2);
    const { owner, others } = ring.rolesOf('bad');
    for (const node of [owner, ...others]) {
      for (const sizeBytes of [10, 300_000]) {
        const body = someBytes(sizeBytes);
        const headers = { 'content-md5': Buffer.alloc(16).toString('base64') };
        const answer = await sendSigned(node.gateway.port, {
          method: 'PUT',
          target: `/${Bucket}/bad`,
          headers,
          body,
        });
        expect([answer.status, String(answer.body)]).toEqual([400, expect.stringContaining('BadDigest')]);
      }
    }
    expect(await textOf(owner, 'bad')).toBe('NoSuchKey');
    await put(others[0] as RingNode, 'bad', 'good');
    expect(await textOf(owner, 'bad')).toBe('good');
  },
  patienceMs,
);

test(
  'a node that is not the owner changes nothing for another node, but says by which view it goes; what was handed on too often is refused',
  async () => {
    ring = await RingNodes.start(3);
    const { owner, others } = ring.rolesOf('k');
    const [one, two] = others as [RingNode, RingNode];
    const { generation, epoch } = two.ownership.view();
    expect(await sendWrite(one, two, 'k')).toEqual({ kind: 'moved', view: { generation, epoch } });
    expect(await sendWrite(owner, two, 'k')).toMatchObject({ kind: 'moved' });
    const tooOften = await sendWrite(one, owner, 'k', { hops: 3 });
    expect(tooOften).toMatchObject({ kind: 'unreachable', cause: { kind: 'overloaded' } });
    const onward = await sendWrite(one, two, 'k', { hops: 2, relayTo: owner.workerId });
    expect(onward).toMatchObject({ kind: 'unreachable', cause: { kind: 'overloaded' } });
    const late = await sendWrite(one, owner, 'k', { incarnation: 'another mount' });
    expect(late).toMatchObject({ kind: 'moved' });
    for (const node of ring.nodes) expect(await textOf(node, 'k')).toBe('NoSuchKey');
    expect(await sendWrite(one, owner, 'k')).toMatchObject({ kind: 'done' });
    for (const node of ring.nodes) expect(await textOf(node, 'k')).toBe('from a peer');
  },
  patienceMs,
);

test(
  'nor where it is asked for each time, and nobody keeps what is known of it',
  async () => {
    ring = await RingNodes.start(2, {}, { freshness: { kind: 'always' } });
    const { owner, others } = ring.rolesOf('k');
    const [other] = others as [RingNode];
    expect(await sendWrite(owner, other, 'k')).toMatchObject({ kind: 'moved' });
    expect(await textOf(owner, 'k')).toBe('NoSuchKey');
    expect(await sendWrite(other, owner, 'k')).toMatchObject({ kind: 'done' });
    expect(await textOf(other, 'k')).toBe('from a peer');
  },
  patienceMs,
);

test(
  'a change whose owner this node alone cannot reach goes through another node to that very owner',
  async () => {
    ring = await RingNodes.start(3);
    const { owner, others } = ring.rolesOf('k');
    const [one, two] = others as [RingNode, RingNode];
    await put(owner, 'k', 'v1');
    expect(await textOf(two, 'k')).toBe('v1');
    one.pool.cut.add(owner.workerId);
    const { epoch } = one.ownership.view();
    const long = someBytes(1_000_000, 9);
    expect(await nameOf(put(one, 'k', 'v2'))).toBe('done');
    // The owner is hot, and knows it: nobody went round it.
    for (const node of [owner, two, one]) expect(await textOf(node, 'k')).toBe('v2');
    expect(await nameOf(put(one, 'k', long))).toBe('done');
    for (const node of [owner, two, one]) expect(await textOf(node, 'k')).toBe(long.toString('utf8'));
    await one.gateway.client.send(
      new CopyObjectCommand({ Bucket, Key: 'k', CopySource: `${Bucket}/k`, MetadataDirective: 'REPLACE' }),
    );
    expect(await nameOf(one.gateway.client.send(new DeleteObjectCommand({ Bucket, Key: 'k' })))).toBe('done');
    for (const node of [owner, two, one]) expect(await textOf(node, 'k')).toBe('NoSuchKey');
    expect(one.ownership.view().epoch).toBe(epoch);
  },
  patienceMs,
);

test(
  'an owner that nobody can reach is replaced by a view without it, and the change goes to its successor',
  async () => {
    ring = await RingNodes.start(3);
    const { owner, others } = ring.rolesOf('k');
    const [one, two] = others as [RingNode, RingNode];
    await put(owner, 'k', 'v1');
    expect(await textOf(one, 'k')).toBe('v1');
    owner.isolate();
    expect(await textOf(one, 'k')).toBe('v1');
    await put(one, 'k', 'v2');
    // The owner of before can reach the storage, and its own lease tells it that what it knows is of no use.
    for (const node of [one, two]) expect(await textOf(node, 'k')).toBe('v2');
    expect(await textOf(owner, 'k')).toBe('v2');
  },
  patienceMs,
);

test(
  'the keys of a node that joins pass over to it, with what it then knows of them',
  async () => {
    ring = await RingNodes.start(2);
    const keys = Array.from({ length: 24 }, (_, i) => `key-${i}`);
    const [one, two] = ring.nodes as [RingNode, RingNode];
    for (const key of keys) await put(one, key, `${key} v1`);
    for (const key of keys) expect(await textOf(two, key)).toBe(`${key} v1`);
    const before = new Map(keys.map((key) => [key, ring.rolesOf(key).owner]));
    const joined = await ring.add();
    const changing = keys.map((key) => put(two, key, `${key} v2`));
    await ring.agreed();
    await Promise.all(changing);
    for (const key of keys) for (const node of ring.nodes) expect(await textOf(node, key)).toBe(`${key} v2`);
    const moved = keys.filter((key) => ring.rolesOf(key).owner !== before.get(key));
    expect(moved.length).toBeGreaterThan(0);
    expect(moved.every((key) => ring.rolesOf(key).owner === joined)).toBe(true);
    for (const key of moved) await put(one, key, `${key} v3`);
    for (const key of moved) for (const node of ring.nodes) expect(await textOf(node, key)).toBe(`${key} v3`);
    // It goes again: whoever gets its keys back knows nothing of the time before.
    ring.nodes.splice(ring.nodes.indexOf(joined), 1);
    await joined.close();
    await ring.agreed();
    for (const key of moved) {
      await ring.settled(key);
      for (const node of ring.nodes) expect(await textOf(node, key)).toBe(`${key} v3`);
    }
  },
  patienceMs,
);

test(
  'a change during which the object passes to another node is known to that node before it is acknowledged',
  async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isHeld = false;
    ring = await RingNodes.start(
      2,
      {},
      {},
      (backend) =>
        new Proxy(backend, {
          get: (target, name) => {
            if (name !== 'put') return Reflect.get(target, name) as unknown;
            return (...[key, body, options]: Parameters<typeof target.put>) => {
              const beforeCommit = async () => {
                await options.beforeCommit?.();
                // On its way to the storage.
                isHeld = true;
                await held;
              };
              return target.put(key, body, key === 'slow' ? { ...options, beforeCommit } : options);
            };
          },
        }),
    );
    const [one, two] = ring.nodes as [RingNode, RingNode];
    const { owner } = ring.rolesOf('slow');
    const other = owner === one ? two : one;
    const changing = put(owner, 'slow', 'late');
    await until(() => isHeld);
    // The others hear that it is out of reach; it itself goes on, and its change with it.
    await other.ownership.suspect(owner.workerId, AbortSignal.timeout(patienceMs));
    await ring.settled('slow');
    expect(await textOf(other, 'slow')).toBe('NoSuchKey');
    release?.();
    expect(await nameOf(changing)).toBe('done');
    for (const node of [other, owner]) expect(await textOf(node, 'slow')).toBe('late');
  },
  patienceMs,
);

test(
  'with the coordination store away from all, changes go on as soon as each says that its lease is over and forgets the object',
  async () => {
    ring = await RingNodes.start(3);
    const { owner, others } = ring.rolesOf('k');
    const [one, two] = others as [RingNode, RingNode];
    await put(one, 'k', 'v1');
    expect(await textOf(two, 'k')).toBe('v1');
    await Promise.all(ring.nodes.map(({ member }) => member.close()));
    expect(await nameOf(put(one, 'k', 'v2'))).toBe('done');
    for (const node of [owner, one, two]) expect(await textOf(node, 'k')).toBe('v2');
    expect(await callsOf(owner.gateway.metrics, 'head')).toBeGreaterThan(0);
  },
  patienceMs,
);

test(
  'where nobody can take a change it is refused, and the answer says that nothing was done',
  async () => {
    ring = await RingNodes.start(2, { writePatienceMs: 1_500 });
    const { owner, others } = ring.rolesOf('k');
    const [other] = others as [RingNode];
    await put(other, 'k', 'v1');
    await owner.member.close();
    await other.member.close();
    owner.isolate();
    for (const node of [other, owner]) {
      const answer = await sendSigned(node.gateway.port, {
        method: 'PUT',
        target: `/${Bucket}/k`,
        body: Buffer.from('v2'),
      });
      expect([answer.status, answer.headers['x-forebay-effect']]).toEqual([503, 'none']);
    }
    expect(await textOf(other, 'k')).toBe('v1');
  },
  patienceMs,
);

test(
  'a node whose wall clock jumps goes on with the others',
  async () => {
    ring = await RingNodes.start(2);
    const { owner, others } = ring.rolesOf('key');
    const [other] = others as [RingNode];
    await put(other, 'key', 'before');
    for (const aheadMs of [3_600_000, -3_600_000]) {
      for (const late of [owner, other]) {
        late.clock.aheadMs = aheadMs;
        const body = `${late.workerId} ${aheadMs}`;
        await put(other, 'key', body);
        for (const node of ring.nodes) expect(await textOf(node, 'key')).toBe(body);
        late.clock.aheadMs = 0;
      }
    }
    for (const { gateway } of ring.nodes) {
      const { values } = await gateway.metrics.passedBy.get();
      expect(values.map(({ value }) => value)).toEqual([0]);
    }
  },
  patienceMs,
);
