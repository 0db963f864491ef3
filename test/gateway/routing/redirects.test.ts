import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterEach, expect, test } from '@jest/globals';
import { someBytes } from '../../support/upload-body.ts';
import { sendSigned } from '../signed-request.ts';
import { type RingNode, RingNodes, servedBy } from './ring-nodes.ts';

const patienceMs = 120_000;
const Bucket = 'pages';
let ring: RingNodes;
afterEach(() => ring?.close());

const route = { 'x-forebay-route': 'redirect' };

/** Where a request for a key is sent by a node, as an HTTP client sees it. */
async function locationOf(node: RingNode, target: string, method = 'GET', body?: Buffer, presigned = false) {
  const sent = { method, target, unsigned: route, presigned, body };
  const { status, headers } = await sendSigned(node.gateway.port, sent);
  return { status, location: headers.location ?? '', owner: headers['x-forebay-owner'] };
}

test(
  'who asks for it is sent to the owner, where a plain HTTP client gets the object; nobody else is',
  async () => {
    ring = await RingNodes.start(3);
    const keys = ['a', 'b c', 'ü/%41+', "it's(1)*!"];
    for (const key of keys) {
      const { owner, others } = ring.rolesOf(key);
      const [other] = others as [RingNode];
      const sent = someBytes(5000, key.length);
      await other.gateway.client.send(new PutObjectCommand({ Bucket, Key: key, Body: sent }));
      const target = `/${Bucket}/${encodeURIComponent(key).replaceAll('%2F', '/')}`.replace(
        /[!'()*]/g,
        (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
      );
      for (const presigned of [true, false]) {
        const found = await locationOf(other, target, 'GET', undefined, presigned);
        expect([found.status, found.owner]).toEqual([307, owner.workerId]);
        expect(new URL(found.location).port).toBe(String(owner.gateway.port));
        if (!presigned) continue;
        const plain = await fetch(found.location);
        expect([plain.status, Buffer.from(await plain.arrayBuffer()).equals(sent)]).toEqual([200, true]);
        expect(plain.headers.get('x-forebay-owner')).toBe(owner.workerId);
      }
      // The owner itself answers, and so does every node that is not asked to redirect.
      expect((await locationOf(owner, target)).status).toBe(200);
      expect((await sendSigned(other.gateway.port, { target })).status).toBe(200);
    }
  },
  patienceMs,
);

test(
  'a client follows with the headers that it sent: reads of a range, and uploads',
  async () => {
    ring = await RingNodes.start(2);
    const { others } = ring.rolesOf('k');
    const [other] = others as [RingNode];
    const body = someBytes(100_000);
    const put = await locationOf(other, `/${Bucket}/k`, 'PUT', body);
    expect(put.status).toBe(307);
    const headers = { 'x-amz-content-sha256': await sha256Hex(body), 'x-amz-date': dateOf(put.location) };
    // Of a request with a signed header, that header goes along with its value, or it is refused.
    const wrong = await fetch(put.location, {
      method: 'PUT',
      body,
      headers: { ...headers, 'x-amz-meta-a': 'b' },
    });
    expect(wrong.status).toBe(403);
    const presigned = await locationOf(other, `/${Bucket}/k`, 'PUT', body, true);
    const done = await fetch(presigned.location, { method: 'PUT', body });
    expect(done.status).toBe(200);
    const read = await locationOf(other, `/${Bucket}/k`, 'GET', undefined, true);
    const part = await fetch(read.location, { headers: { range: 'bytes=10-19' } });
    expect([part.status, Buffer.from(await part.arrayBuffer()).equals(body.subarray(10, 20))]).toEqual([
      206,
      true,
    ]);
    const altered = await fetch(read.location.replace(`/${Bucket}/k`, `/${Bucket}/other`));
    expect(altered.status).toBe(403);
    expect((await servedBy(other.gateway.metrics)).peer ?? 0).toBe(0);
  },
  patienceMs,
);

async function sha256Hex(bytes: Buffer): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', new Uint8Array(bytes))).toString('hex');
}

function dateOf(location: string): string {
  return new URL(location).searchParams.get('X-Amz-Date') ?? '';
}
