import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { AuditEntry } from '../../src/admin/audit-entry.ts';
import { adminRoutes } from '../../src/admin/routes.ts';
import { AdminNode, root } from './admin-node.ts';

let node: AdminNode;
beforeEach(async () => {
  node = await (await new AdminNode().listen()).open();
});
afterEach(() => node.close());

/** The oldest first. */
async function entries(): Promise<AuditEntry[]> {
  const lines: AuditEntry[] = [];
  for await (const line of node.auditLog.lines()) lines.unshift(JSON.parse(line));
  return lines;
}

const mount = (body: Record<string, unknown>) => node.call('POST', '/v1/mounts', body);

describe('a change', () => {
  test('is written down before and after: who, when, from where, what, and what came of it', async () => {
    await node.call('POST', '/v1/users', { name: 'ada', policy: 'readwrite' });
    const key = (await node.call('POST', '/v1/users/ada/keys', { accessKeyId: 'ADASKEY' })).json;
    await node.call('POST', `/v1/users/ada/keys/${key.accessKeyId}/disable`);
    const [, , , , begun, ended] = await entries();
    const about = {
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      id: expect.stringMatching(/^[0-9a-f]{16}$/),
      node: 'this-node',
      user: 'root',
      accessKeyId: root.accessKeyId,
      from: expect.stringContaining('127.0.0.1'),
      change: 'DisableKey',
      method: 'POST',
      path: '/v1/users/ada/keys/ADASKEY/disable',
    };
    const withKey = (disabled: boolean) => ({
      name: 'ada',
      policy: 'readwrite',
      created: expect.any(String),
      keys: expect.arrayContaining([expect.objectContaining({ accessKeyId: 'ADASKEY', disabled })]),
    });
    expect(begun).toEqual({ ...about, stage: 'begun', before: withKey(false) });
    expect(ended).toEqual({
      ...about,
      stage: 'ended',
      before: withKey(false),
      after: withKey(true),
      outcome: 'OK',
      ms: expect.any(Number),
    });
    expect([begun?.id, begun?.time]).toEqual([ended?.id, ended?.time]);
  });

  test('that makes something has nothing before, and one that removes something nothing after', async () => {
    await mount({ target: 'data', uri: 'file:///srv/data', readOnly: true });
    await node.call('DELETE', '/v1/mounts/data');
    const ended = (await entries()).filter(({ stage }) => stage === 'ended');
    const view = expect.objectContaining({ name: 'data', uri: 'file:///srv/data', readOnly: true });
    expect(ended.map(({ change, before, after, body }) => ({ change, before, after, body }))).toEqual([
      {
        change: 'AddMount',
        before: undefined,
        after: view,
        body: { target: 'data', uri: 'file:///srv/data', readOnly: true },
      },
      { change: 'RemoveMount', before: view, after: undefined, body: undefined },
    ]);
  });

  test('that fails is written down with the reason, and leaves what it was about as it was', async () => {
    await node.call('POST', '/v1/users', { name: 'ada', policy: 'readwrite' });
    await node.mounts.buckets.create({ name: 'hers', owner: 'ada', kind: 'root' });
    await node.call('DELETE', '/v1/users/ada');
    const ended = (await entries()).at(-1);
    expect(ended).toMatchObject({
      stage: 'ended',
      change: 'DeleteUser',
      outcome: 'UserOwnsBuckets',
      message: expect.stringContaining('hers'),
      before: { name: 'ada' },
      after: { name: 'ada' },
    });
  });

  test('that cannot be written down is not made', async () => {
    const folder = join(node.dataFolder, 'audit');
    await rm(folder, { recursive: true });
    await writeFile(folder, 'in the way');
    const answer = await node.call('POST', '/v1/users', { name: 'ada', policy: 'admin' });
    expect([answer.status, answer.json.code]).toEqual([503, 'AuditUnavailable']);
    expect(answer.json.message).toMatch(/^nothing was changed, for the audit log cannot be written: /);
    expect(node.users.listUsers()).toHaveLength(1);
    expect((await node.call('GET', '/v1/users')).status).toBe(200);
  });
});

describe('a change that is refused before it is begun', () => {
  test('is written down: no signature, no administrator, a body against the schema', async () => {
    const reader = { accessKeyId: 'READER', secretAccessKey: 'reader-secret' };
    await node.users.createUser('reader', { policy: 'readonly', ...reader });
    const body = JSON.stringify({ name: 'eve', policy: 'admin' });
    await node.send({ method: 'POST', path: '/v1/users', body, headers: { 'user-agent': 'curl/8' } });
    await node.call('POST', '/v1/users', { name: 'eve', policy: 'admin' }, reader);
    await node.call('POST', '/v1/users', { name: 'eve', policy: 'king' });
    const [unsigned, reading, wrong] = await entries();
    expect(unsigned).toMatchObject({ stage: 'refused', outcome: 'AccessDenied', agent: 'curl/8' });
    expect([unsigned?.user, unsigned?.accessKeyId, unsigned?.body]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(reading).toMatchObject({
      stage: 'refused',
      outcome: 'AccessDenied',
      accessKeyId: 'READER',
      message: 'reader is no administrator',
    });
    expect(wrong).toMatchObject({
      stage: 'refused',
      outcome: 'InvalidRequest',
      user: 'root',
      body: { name: 'eve', policy: 'king' },
    });
  });

  test('by who proves nothing fills no log: what is left out is counted', async () => {
    const attempt = () => node.send({ method: 'POST', path: '/v1/ring/thaw' });
    for (let i = 0; i < 75; i++) await attempt();
    // It may have begun in one minute and ended in the next.
    const lines = (await entries()).length;
    expect(lines).toBeGreaterThanOrEqual(30);
    expect(lines).toBeLessThanOrEqual(61);
    await node.call('POST', '/v1/users', { name: 'eve', policy: 'king' });
    const told = (await entries()).reduce((sum, { unrecorded = 0 }) => sum + unrecorded, 0);
    expect(told + lines).toBe(75);
  });
});

describe('reading', () => {
  const read = async (query = '') => (await node.call('GET', `/v1/audit${query}`)).json;
  const names = (entries: readonly AuditEntry[]) => entries.map(({ change, stage }) => `${change} ${stage}`);

  test('gives one line for each change, the newest last, and filters them', async () => {
    const { accessKeyId, secretAccessKey } = (
      await node.call('POST', '/v1/users', { name: 'ada', policy: 'admin' })
    ).json;
    await node.call('POST', '/v1/users', { name: 'eve', policy: 'king' });
    await node.call('POST', '/v1/users/ada/keys', {}, { accessKeyId, secretAccessKey });
    await node.call('DELETE', '/v1/users/nobody');
    const { entries: all, silent } = await read();
    expect(names(all)).toEqual([
      'CreateUser ended',
      'CreateUser refused',
      'CreateKey ended',
      'DeleteUser ended',
    ]);
    expect(silent).toEqual([]);
    expect(names((await read('?limit=2')).entries)).toEqual(['CreateKey ended', 'DeleteUser ended']);
    expect(names((await read('?user=ada')).entries)).toEqual(['CreateKey ended']);
    expect(names((await read('?change=CreateUser')).entries)).toEqual([
      'CreateUser ended',
      'CreateUser refused',
    ]);
    expect((await read(`?since=${all[2].time}`)).entries.length).toBeLessThanOrEqual(3);
    expect((await read('?since=2999-01-01T00:00:00Z')).entries).toEqual([]);
  });

  test('shows a change that has not ended as one that was begun, and passes over what is no line', async () => {
    await node.call('POST', '/v1/users', { name: 'ada', policy: 'admin' });
    const [begun] = await entries();
    await node.auditLog.append('what a fault of the disk left');
    await node.auditLog.append(JSON.stringify({ ...begun, id: 'another' }));
    expect(names((await read()).entries).sort()).toEqual(['CreateUser begun', 'CreateUser ended']);
  });
});

describe('secrets', () => {
  const secret = 'the-secret-that-nobody-reads';
  const everything = async () => (await entries()).map((entry) => JSON.stringify(entry)).join('\n');

  test.each([
    ['of a user', '/v1/users', { name: 'ada', policy: 'admin', accessKeyId: 'ADA', secretAccessKey: secret }],
    [
      'of a mount',
      '/v1/mounts',
      { target: 'far', uri: 's3://far', accessKeyId: 'AK', secretAccessKey: secret },
    ],
    [
      'in credentials',
      '/v1/mounts',
      { target: 'logs', uri: 'gs://logs', credentials: `{"key":"${secret}"}` },
    ],
    [
      'that is refused',
      '/v1/users',
      { name: 'ada', policy: 'admin', accessKeyId: 'A', secretAccessKey: secret },
    ],
    ['with a blank', '/v1/users', { name: 'ada', policy: 'admin', secretAccessKey: `${secret} and more` }],
    ['under a wrong name', '/v1/users', { name: 'ada', policy: 'admin', secretAcessKey: secret }],
    ['of a wrong kind', '/v1/users', { name: 'ada', policy: 'admin', secretAccessKey: [secret] }],
    ['in a URI', '/v1/mounts', { target: 'far', uri: 's3://far', endpoint: `http://me:${secret}@far` }],
    ['that stands elsewhere too', '/v1/users', { name: secret, policy: 'king', secretAccessKey: secret }],
  ])('%s are in no line', async (_what, path, body) => {
    await node.call('POST', path, body);
    const text = await everything();
    expect(text).toContain('"change"');
    expect(text).not.toContain(secret);
  });

  test('that are no texts, under a name that no schema knows, are in no line', async () => {
    await node.call('POST', '/v1/users', { name: 'ada', policy: 'admin', pin: 87_654_321 });
    const text = await everything();
    expect(text).toContain('"pin":"***"');
    expect(text).not.toContain('87654321');
  });

  test('that were made up are in no line', async () => {
    const { secretAccessKey } = (await node.call('POST', '/v1/users', { name: 'ada', policy: 'admin' })).json;
    expect(secretAccessKey.length).toBeGreaterThan(20);
    expect(await everything()).not.toContain(secretAccessKey);
  });

  test('of signatures are in no line', async () => {
    const signed = node.sign({ method: 'POST', path: '/v1/ring/thaw' }, { ...root, secretAccessKey: 'x' });
    await node.send(signed);
    const signature = /Signature=([0-9a-f]{64})/.exec(signed.headers?.Authorization ?? '')?.[1] as string;
    const text = await everything();
    expect(text).toContain('SignatureDoesNotMatch');
    expect(text).not.toContain(signature);
  });
});

describe.each(adminRoutes.map((route) => [route.name, route] as const))('%s', (_name, route) => {
  test('leaves lines if it changes something, and none if it tells something', async () => {
    const call = {
      method: route.method,
      path: route.path.replace(/:\w+/g, 'some-thing'),
      body: route.body && '{}',
    };
    const answer = await node.send(node.sign(call));
    const stages = (await entries()).map(({ change, stage, outcome }) => [change, stage, outcome]);
    const code = answer.json.code ?? 'OK';
    if (tells.has(route.name)) expect(stages).toEqual([]);
    else if (stages.length === 1) expect(stages).toEqual([[route.name, 'refused', code]]);
    else {
      expect(stages).toEqual([
        [route.name, 'begun', undefined],
        [route.name, 'ended', code],
      ]);
    }
  });
});

/** Every other route is a change. */
const tells: ReadonlySet<string> = new Set([
  'ListUsers',
  'ShowUser',
  'ListMounts',
  'ShowMount',
  'CheckMount',
  'ListPending',
  'ShowPending',
  'FlushPending',
  'ShowRing',
  'PlanRing',
  'ListNodes',
  'ListJobs',
  'ShowJob',
  'DescribeApi',
  'ReadAudit',
  'ShowStatus',
  'ExplainObject',
  'ExplainAccess',
  'ExplainRequest',
  'CountCached',
  'ExplainPolicy',
  'ListPolicies',
  'ListSettings',
]);
