import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, test } from '@jest/globals';
import { isLoopback } from '../../src/admin/health.ts';
import { adminRoutes } from '../../src/admin/routes.ts';
import { AdminNode } from './admin-node.ts';

let node: AdminNode;
afterEach(() => node.close());

const get = (path: string, host?: string) => node.send({ method: 'GET', path }, host);
/** An address of this machine that is not its loopback, if it has one. */
const outside = Object.values(networkInterfaces())
  .flat()
  .find((address) => address?.family === 'IPv4' && !address.internal)?.address;

describe('a node that is starting', () => {
  test('is alive and not ready, says what it waits for, and lets nobody in', async () => {
    node = await new AdminNode().listen();
    expect((await get('/healthz')).status).toBe(200);
    const waiting = await get('/readyz');
    expect([waiting.status, waiting.json]).toEqual([503, { code: 'NotReady', message: 'waiting for store' }]);
    for (const route of adminRoutes) {
      const answer = await node.call(route.method, route.path.replace(/:\w+/g, 'x'));
      expect([answer.status, answer.json.code]).toEqual([503, 'NotReady']);
    }
    node.readiness.ready('store');
    expect((await get('/readyz')).json).toEqual({ status: 'ready' });
    node.readiness.notReady('the node is going down');
    expect((await get('/readyz')).json.message).toBe('the node is going down');
  });
});

describe('metrics', () => {
  test('need no key on the loopback, and count admin requests by route and code', async () => {
    node = await (await new AdminNode().listen()).open();
    await get('/v1/users');
    await get('/nowhere/ever');
    const answer = await get('/metrics');
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(answer.text).toContain('forebay_admin_requests_total{route="ListUsers",code="AccessDenied"} 1');
    expect(answer.text).toContain('forebay_admin_requests_total{route="Unknown",code="NotFound"} 1');
    expect(answer.text).not.toContain('nowhere');
  });

  if (outside !== undefined) {
    test('need an administrator from other addresses, unless they are public', async () => {
      node = await (await new AdminNode({ host: '0.0.0.0' }).listen()).open();
      expect((await get('/metrics', outside)).status).toBe(403);
      expect((await get('/readyz', outside)).status).toBe(503);
      const signed = node.sign({ method: 'GET', path: '/metrics' });
      expect((await node.send(signed, outside)).status).toBe(200);
      await node.close();
      node = await (await new AdminNode({ host: '0.0.0.0', metricsPublic: true }).listen()).open();
      expect((await get('/metrics', outside)).status).toBe(200);
    });
  }

  test.each([
    ['127.0.0.1', true],
    ['127.8.9.10', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['::ffff:10.0.0.1', false],
    ['10.127.0.1', false],
    ['fe80::1', false],
    [undefined, false],
  ])('%s is loopback: %s', async (address, expected) => {
    node = new AdminNode();
    expect(isLoopback(address)).toBe(expected);
  });
});
