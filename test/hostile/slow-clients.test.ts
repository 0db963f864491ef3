import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { RawConnection } from './raw-connection.ts';
import { useScene } from './scene.ts';

const scene = useScene({
  FOREBAY_TIMEOUT_HEADERS: '1s',
  FOREBAY_TIMEOUT_IDLE: '1s',
  FOREBAY_TIMEOUT_KEEP_ALIVE: '1s',
});
afterEach(() => scene.expectUntouched());

test('headers that come byte by byte are not waited for', async () => {
  const connection = await RawConnection.open(scene.port);
  const text = scene.client.signed({ target: '/fortress/kept' }).text();
  const started = Date.now();
  for (const character of text) {
    connection.write(character);
    await sleep(100);
    if (await connection.isClosed(0)) break;
    if (Date.now() - started > 8_000) break;
  }
  expect(await connection.isClosed(0)).toBe(true);
  connection.close();
});

test('a connection that says nothing is closed', async () => {
  const connection = await RawConnection.open(scene.port);
  expect(await connection.isClosed(5_000)).toBe(true);
  connection.close();
});

test('a connection is closed after it was used and then left', async () => {
  const connection = await RawConnection.open(scene.port);
  connection.write(scene.client.signed({ target: '/fortress/kept' }).text());
  expect((await connection.answer())?.status).toBe(200);
  expect(await connection.isClosed(8_000)).toBe(true);
  connection.close();
});

test('an upload that stalls is given up and leaves nothing', async () => {
  const connection = await RawConnection.open(scene.port);
  const body = 'z'.repeat(100_000);
  connection.write(scene.client.signed({ method: 'PUT', target: '/fortress/new', body }).text());
  connection.write(body.slice(0, 50_000));
  expect(await connection.isClosed(6_000)).toBe(true);
  connection.close();
});

test('a slow upload that goes on is not given up', async () => {
  const connection = await RawConnection.open(scene.port);
  const body = 'slow body!';
  connection.write(scene.client.signed({ method: 'PUT', target: '/fortress/slow', body }).text());
  for (const character of body) {
    await sleep(250);
    connection.write(character);
  }
  expect((await connection.answer())?.status).toBe(200);
  connection.close();
  expect((await scene.client.send({ method: 'DELETE', target: '/fortress/slow' })).status).toBe(204);
});

test('a reader who does not read is cut off and keeps nobody out', async () => {
  const body = 'w'.repeat(32_000_000);
  expect((await scene.client.send({ method: 'PUT', target: '/fortress/wide', body })).status).toBe(200);
  const readers = await Promise.all(Array.from({ length: 8 }, () => RawConnection.open(scene.port)));
  for (const reader of readers) {
    reader.pause();
    reader.write(scene.client.signed({ target: '/fortress/wide' }).text());
  }
  await sleep(500);
  expect((await scene.client.send({ target: '/fortress/kept' })).body).toBe('kept');
  for (const reader of readers) reader.close();
  expect((await scene.client.send({ method: 'DELETE', target: '/fortress/wide' })).status).toBe(204);
});
