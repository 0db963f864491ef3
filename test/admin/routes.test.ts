import { mkdir, mkdtemp, rm, symlink, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { PlainBody } from '../../src/ufs/plain-body.ts';
import { AdminNode } from './admin-node.ts';

let node: AdminNode;
beforeEach(async () => {
  node = await (await new AdminNode().listen()).open();
});
afterEach(() => node.close());

const mount = (body: Record<string, unknown>) => node.call('POST', '/v1/mounts', body);

describe('users', () => {
  test('are created with a key that works at once, shown without its secret, and deleted', async () => {
    const created = await node.call('POST', '/v1/users', { name: 'ada', policy: 'admin' });
    expect(created.status).toBe(201);
    expect(created.json).toEqual({
      user: 'ada',
      accessKeyId: expect.any(String),
      secretAccessKey: expect.any(String),
    });
    const list = await node.call('GET', '/v1/users', undefined, created.json);
    expect(list.json.users.map((user: { name: string }) => user.name)).toEqual(['root', 'ada']);
    expect(list.text).not.toContain(created.json.secretAccessKey);
    expect(list.text).not.toContain('root-secret');
    expect((await node.call('DELETE', '/v1/users/ada')).status).toBe(200);
    expect((await node.call('GET', '/v1/users', undefined, created.json)).json.code).toBe(
      'InvalidAccessKeyId',
    );
    expect((await node.call('GET', '/v1/users/ada')).json).toEqual({
      code: 'NotFound',
      message: 'there is no user ada',
    });
  });

  test('may have more keys; a disabled one is refused and the others are not', async () => {
    const first = (await node.call('POST', '/v1/users', { name: 'ada', policy: 'admin' })).json;
    const second = (await node.call('POST', '/v1/users/ada/keys', {})).json;
    await node.call('POST', `/v1/users/ada/keys/${first.accessKeyId}/disable`);
    expect((await node.call('GET', '/v1/users', undefined, first)).status).toBe(403);
    const shown = await node.call('GET', '/v1/users/ada', undefined, second);
    expect(shown.json.keys).toEqual([
      expect.objectContaining({ accessKeyId: first.accessKeyId, disabled: true }),
      expect.objectContaining({ accessKeyId: second.accessKeyId, disabled: false }),
    ]);
  });

  test('that own a bucket are not deleted', async () => {
    await node.call('POST', '/v1/users', { name: 'ada', policy: 'readwrite' });
    await node.mounts.buckets.create({ name: 'hers', owner: 'ada', kind: 'root' });
    const refused = await node.call('DELETE', '/v1/users/ada');
    expect([refused.status, refused.json.code]).toEqual([409, 'UserOwnsBuckets']);
    expect(refused.json.message).toContain('hers');
  });

  test.each([
    [{ name: 'ada', policy: 'king' }, 400],
    [{ name: 'ada' }, 400],
    [{ policy: 'admin' }, 400],
    [{ name: '', policy: 'admin' }, 400],
    [{ name: 'a b', policy: 'admin' }, 400],
    [{ name: 7, policy: 'admin' }, 400],
    [{ name: 'ada', policy: 'admin', more: 1 }, 400],
    [{ name: 'root', policy: 'admin' }, 409],
    [[], 400],
    ['ada', 400],
    [null, 400],
  ])('%j is refused', async (body, status) => {
    const answer = await node.call('POST', '/v1/users', body);
    expect([answer.status, Object.keys(answer.json)]).toEqual([status, ['code', 'message']]);
    expect(node.users.listUsers()).toHaveLength(1);
  });
});

describe('bodies', () => {
  test.each([
    ['no JSON', '{"name":', 400, 'InvalidRequest'],
    ['a proto key', '{"name":"a","policy":"admin","__proto__":{"x":1}}', 400, 'InvalidRequest'],
    ['too large', JSON.stringify({ name: 'x'.repeat(70_000) }), 413, 'BodyTooLarge'],
  ])('%s: %#', async (_what, body, status, code) => {
    const answer = await node.send(node.sign({ method: 'POST', path: '/v1/users', body }));
    expect([answer.status, answer.json.code]).toEqual([status, code]);
  });

  test('of another type are refused', async () => {
    const call = { method: 'POST', path: '/v1/users', body: 'name=ada', headers: {} };
    const signed = node.sign(call);
    const headers = { ...signed.headers, 'Content-Type': 'application/x-www-form-urlencoded' };
    // The type is among the signed headers.
    expect((await node.send({ ...signed, headers })).status).toBe(403);
  });

  test('changed on their way are refused and do nothing', async () => {
    const signed = node.sign({
      method: 'POST',
      path: '/v1/users',
      body: '{"name":"ada","policy":"readonly"}',
    });
    const changed = { ...signed, body: '{"name":"eve","policy":"readwrit"}' };
    expect((await node.send(changed)).json.code).toBe('XAmzContentSHA256Mismatch');
    expect(node.users.listUsers()).toHaveLength(1);
  });

  test('behind a GET or DELETE that signed none are refused', async () => {
    for (const method of ['GET', 'DELETE']) {
      const signed = node.sign({ method, path: '/v1/users/root', body: '{}' });
      const answer = await node.send({ ...signed, body: '[]' });
      expect(answer.json.code).toBe('XAmzContentSHA256Mismatch');
    }
  });
});

describe('mounts', () => {
  test('are added, listed, shown and removed, a prefix with slashes too', async () => {
    const added = await mount({ target: 'data', uri: 'file:///srv/data', readOnly: true });
    expect([added.status, added.json]).toEqual([
      201,
      {
        name: 'data',
        bucket: 'data',
        prefix: '',
        uri: 'file:///srv/data',
        pathStyle: false,
        readOnly: true,
        writeMode: 'through',
        freshness: 'always',
        owner: 'root',
        created: expect.stringMatching(/Z$/),
      },
    ]);
    await mount({ target: 'data/a b/ü', uri: 'file:///srv/more', freshness: 'lease:5s' });
    const list = await node.call('GET', '/v1/mounts');
    expect(list.json.mounts.map((row: { name: string }) => row.name)).toEqual(['data', 'data/a b/ü/']);
    const target = encodeURIComponent('data/a b/ü');
    expect((await node.call('GET', `/v1/mounts/${target}`)).json.freshness).toBe('lease:5s');
    expect((await node.call('DELETE', '/v1/mounts/data')).json.code).toBe('MountNotEmpty');
    expect((await node.call('DELETE', `/v1/mounts/${target}`)).status).toBe(200);
    expect((await node.call('DELETE', '/v1/mounts/data')).status).toBe(200);
    expect((await node.call('GET', '/v1/mounts/data')).status).toBe(404);
    expect(node.mounts.buckets.list()).toEqual([]);
  });

  test('may belong to a user that there is', async () => {
    await node.call('POST', '/v1/users', { name: 'ada', policy: 'readwrite' });
    expect((await mount({ target: 'hers', uri: 'file:///srv/x', owner: 'ada' })).json.owner).toBe('ada');
    const refused = await mount({ target: 'his', uri: 'file:///srv/x', owner: 'bob' });
    expect([refused.status, refused.json.message]).toEqual([404, 'there is no user bob']);
    expect(node.mounts.buckets.get('his')).toBeUndefined();
  });

  test('never give a secret back, clear or sealed', async () => {
    const secretAccessKey = 'the-backend-secret';
    const added = await mount({ target: 'far', uri: 's3://there', accessKeyId: 'AK', secretAccessKey });
    const answers = [added, await node.call('GET', '/v1/mounts'), await node.call('GET', '/v1/mounts/far')];
    const sealed = node.mounts.table.find('far', '')?.sealedSecretAccessKey as string;
    expect(sealed.length).toBeGreaterThan(20);
    for (const answer of answers) {
      expect(answer.json.code).toBeUndefined();
      expect(answer.text).not.toContain(secretAccessKey);
      expect(answer.text).not.toContain(sealed);
    }
  });

  test('whose storage cannot be listed are not added', async () => {
    node.openBackend = async () => {
      throw new UfsError('unavailable', 'no such folder', { backend: 'file:///srv/none' });
    };
    const refused = await mount({ target: 'none', uri: 'file:///srv/none' });
    expect([refused.status, refused.json]).toEqual([
      400,
      {
        code: 'BackendNotUsable',
        message: 'none was not added, for file:///srv/none cannot be used: no such folder',
      },
    ]);
    expect(node.mounts.table.mounts).toEqual([]);
    expect(node.mounts.buckets.list()).toEqual([]);
  });

  test('whose storage cannot be used leave no bucket behind and are never seen', async () => {
    const seen: number[] = [];
    node.mounts.onChange((table) => seen.push(table.mounts.length));
    node.openBackend = async () => {
      throw new UfsError('unavailable', 'no such folder', { backend: 'file:///srv/none' });
    };
    expect((await mount({ target: 'ghost/in/here', uri: 'file:///srv/none' })).status).toBe(400);
    expect(node.mounts.buckets.get('ghost')).toBeUndefined();
    expect(seen).toEqual([]);
  });

  test.each(['data folder', 'root mount'] as const)(
    'over the %s, inside it or around it are refused, through links too',
    async (what) => {
      const own = what === 'data folder' ? node.dataFolder : node.rootFolder;
      const inside = join(own, 'pages');
      const link = `${own}-link`;
      await mkdir(inside);
      await symlink(own, link);
      for (const path of [own, inside, join(inside, 'not-there-yet'), '/', link, join(link, 'x')]) {
        const answer = await mount({ target: 'stolen', uri: `file://${path}` });
        const named = path === '/' ? "Forebay's own" : `Forebay's own ${what}`;
        expect([path, answer.status, answer.json.message]).toEqual([
          path,
          400,
          expect.stringContaining(named),
        ]);
      }
      expect((await mount({ target: 'fine', uri: `file://${own}-beside` })).status).toBe(201);
      await unlink(link);
    },
  );

  test('of a folder that another mount has, whole or in part, are refused unless nothing is written through either', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'forebay-shared-'));
    await mkdir(join(folder, 'data/sub'), { recursive: true });
    await symlink(join(folder, 'data'), join(folder, 'link'));
    const add = (target: string, path: string, readOnly = false) =>
      mount({ target, uri: `file://${join(folder, path)}`, readOnly });
    expect((await add('one', 'data')).status).toBe(201);
    for (const path of ['data', 'data/', 'data/sub', 'link', 'link/sub', '.']) {
      for (const readOnly of [false, true]) {
        const refused = await add('two', path, readOnly);
        expect([path, refused.status, refused.json.code]).toEqual([path, 409, 'AlreadyExists']);
        expect(refused.json.message).toMatch(/the mount one .*--read-only.* remove one first/);
      }
    }
    expect(node.mounts.buckets.get('two')).toBeUndefined();
    expect((await add('beside', 'data-2')).status).toBe(201);
    await node.call('DELETE', '/v1/mounts/one');
    expect((await add('two', 'data', true)).status).toBe(201);
    expect((await add('two/three', 'link/sub', true)).status).toBe(201);
    expect((await add('four', 'data')).status).toBe(409);
    await rm(folder, { recursive: true });
  });

  test('of one folder that are added at once do not both come to be', async () => {
    const answers = await Promise.all(
      ['one', 'two', 'three'].map((target) => mount({ target, uri: 'file:///srv/shared' })),
    );
    expect(answers.map((answer) => answer.status).sort()).toEqual([201, 409, 409]);
    expect(node.mounts.buckets.list()).toHaveLength(1);
  });
});

describe('checking a mount', () => {
  const check = async (target = 'data') => (await node.call('POST', `/v1/mounts/${target}/check`)).json;
  const results = (steps: { name: string; result: string }[]) =>
    steps.map((step) => `${step.name} ${step.result}`);

  test('tries everything and leaves nothing behind', async () => {
    await mount({ target: 'data', uri: 'file:///srv/data' });
    const { ok, steps } = await check();
    expect([ok, results(steps)]).toEqual([
      true,
      ['open ok', 'list ok', 'head skipped', 'read skipped', 'write ok', 'delete ok'],
    ]);
    expect((await node.backend.list({ prefix: '', limit: 10 })).entries).toEqual([]);
  });

  test('of a read-only mount reads and does not write', async () => {
    await mount({ target: 'data', uri: 'file:///srv/data', readOnly: true });
    async function* bytes() {
      yield Buffer.from('hello');
    }
    await node.backend.put('some/key', new PlainBody(bytes(), 5), { headers: {}, userMetadata: {} });
    const { ok, steps } = await check();
    expect([ok, results(steps)]).toEqual([
      true,
      ['open ok', 'list ok', 'head ok', 'read ok', 'write skipped', 'delete skipped'],
    ]);
    expect(steps[3].detail).toBe('5 bytes of some/key');
  });

  test('says in plain words what fails', async () => {
    await mount({ target: 'data', uri: 'file:///srv/data' });
    const refusing = new MemoryBackend(systemClock, systemRandom);
    refusing.put = async () => {
      throw new UfsError('denied', 'AccessDenied on PutObject', { backend: 'memory:' });
    };
    await mount({ target: 'other', uri: 'file:///srv/other' });
    await node.call('DELETE', '/v1/mounts/other');
    node.openBackend = async () => refusing;
    await mount({ target: 'other', uri: 'file:///srv/other' });
    const { ok, steps } = await check('other');
    expect(ok).toBe(false);
    expect(steps[4]).toMatchObject({
      name: 'write',
      result: 'failed',
      detail: "the storage refuses the mount's credentials or rights: AccessDenied on PutObject",
    });
    expect(steps[5].result).toBe('skipped');
  });
});

test('the status has the jobs that are not at their end', async () => {
  const statusJobs = async () => (await node.call('GET', '/v1/status')).json.jobs;
  await mount({ target: 'data', uri: 'file:///srv/data' });
  const made = await node.call('POST', '/v1/jobs', { kind: 'load', target: 'data/train/', manifest: true });
  expect(made.status).toBe(201);
  const { id } = made.json;
  const about = { id, kind: 'load', target: 'data/train/', isPlan: false, done: 0, failed: 0, bytes: 0 };
  expect(await statusJobs()).toEqual([expect.objectContaining({ ...about, state: 'collecting' })]);
  await node.call('POST', `/v1/jobs/${id}/stop`);
  expect(await statusJobs()).toEqual([]);
});
