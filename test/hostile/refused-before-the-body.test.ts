import { afterEach, describe, expect, test } from '@jest/globals';
import { codeOf, exchange, RawConnection } from './raw-connection.ts';
import { useScene } from './scene.ts';

const scene = useScene();
afterEach(() => scene.expectUntouched());

const target = '/fortress/new';
const body = 'expected body';

describe('a client that waits for 100 Continue', () => {
  const head = () =>
    scene.client.signed({ method: 'PUT', target, body, headers: { Expect: '100-continue' } });

  test('is told to go on once the request is authorised', async () => {
    const connection = await RawConnection.open(scene.port);
    connection.write(head().text());
    expect((await connection.answer())?.status).toBe(100);
    connection.write(body);
    expect((await connection.answer())?.status).toBe(200);
    connection.close();
    expect((await scene.client.send({ method: 'DELETE', target })).status).toBe(204);
  });

  test('is refused at once where the signature is wrong', async () => {
    const signed = head();
    const answer = await exchange(
      scene.port,
      signed.text({ Authorization: signed.headers.Authorization?.replace(/.{4}$/, '0000') }),
    );
    expect([answer?.status, codeOf(answer)]).toEqual([403, 'SignatureDoesNotMatch']);
  });

  test('is refused at once where nothing is signed', async () => {
    const lines = ['PUT /fortress/new HTTP/1.1', 'Host: a', 'Content-Length: 13', 'Expect: 100-continue'];
    const answer = await exchange(scene.port, `${lines.join('\r\n')}\r\n\r\n`);
    expect([answer?.status, codeOf(answer)]).toEqual([403, 'AccessDenied']);
  });

  test.each([
    ['the bucket is missing', '/no-such-bucket/new', {}, 404, 'NoSuchBucket'],
    ['the key is too long', `/fortress/${'k'.repeat(1_025)}`, {}, 400, 'KeyTooLongError'],
    ['the digest is none', target, { 'Content-MD5': 'nonsense' }, 400, 'InvalidDigest'],
    ['the checksum is none', target, { 'X-Amz-Checksum-Crc32': 'nonsense' }, 400, 'InvalidRequest'],
    ['the operation is not there', `${target}?legal-hold=`, {}, 501, 'NotImplemented'],
  ])('is refused at once where %s', async (_, path, headers, status, code) => {
    const signed = scene.client.signed({
      method: 'PUT',
      target: path,
      body,
      headers: { Expect: '100-continue', ...headers },
    });
    const answer = await exchange(scene.port, signed.text());
    expect([answer?.status, codeOf(answer)]).toEqual([status, code]);
  });

  test('for something else than to go on is not answered with success', async () => {
    const signed = scene.client.signed({
      method: 'PUT',
      target,
      body,
      headers: { Expect: 'the unexpected' },
    });
    const answer = await exchange(scene.port, signed.text());
    expect(answer?.status).toBe(417);
  });

  test('for nothing is a request like any other', async () => {
    const signed = scene.client.signed({ method: 'PUT', target, body, headers: { Expect: '' } });
    expect((await exchange(scene.port, signed.text() + body))?.status).toBe(200);
    expect((await scene.client.send({ method: 'DELETE', target })).status).toBe(204);
  });
});

describe('a signed request', () => {
  const change = (from: string, to: string) => async () => {
    const text = scene.client.signed({ target: '/fortress/kept' }).text();
    expect(text).toContain(from);
    const answer = await exchange(scene.port, text.replace(from, to), { headOnly: to.startsWith('HEAD') });
    expect(answer?.status).toBe(403);
    if (!to.startsWith('HEAD')) expect(codeOf(answer)).toBe('SignatureDoesNotMatch');
  };

  test('is not good for another key', change('/fortress/kept', '/fortress/none'));
  test('is not good for another bucket', change('/fortress/kept', '/other/kept'));
  test('is not good for another query', change('/fortress/kept', '/fortress/kept?versions='));
  test('is not good for DELETE', change('GET ', 'DELETE '));
  test('is not good for HEAD', change('GET ', 'HEAD '));
  test('is not good for PUT', change('GET ', 'PUT '));
  test('is not good for another host', change('Host: 127.0.0.1', 'Host: localhost'));
  test('is not good for the same path written otherwise', change('/fortress/kept', '/fortress//kept'));
  test('is not good for a path with a dot segment', change('/fortress/kept', '/fortress/x/../kept'));

  test('is not good for another bucket that an absolute target names', async () => {
    const host = `fortress.${scene.client.node.domain}`;
    const presigned = scene.client.presigned({ target: '/kept', host });
    const ask = (targetHost: string) =>
      exchange(scene.port, `GET http://${targetHost}${presigned} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    expect((await ask(host))?.body).toBe('kept');
    expect((await ask(`other.${scene.client.node.domain}`))?.status).toBe(400);
  });

  test('is not good with a signed header left out', async () => {
    const head = scene.client.signed({ target: '/fortress/kept', headers: { 'X-Amz-Meta-A': '1' } });
    const answer = await exchange(scene.port, head.text({ 'X-Amz-Meta-A': undefined }));
    expect([400, 403]).toContain(answer?.status);
  });

  test('is not good with an x-amz- header that is not signed', async () => {
    const head = scene.client.signed({ method: 'PUT', target, body });
    const answer = await exchange(scene.port, head.text({ 'x-amz-copy-source': '/fortress/kept' }) + body);
    expect([400, 403]).toContain(answer?.status);
  });

  test('may be written with another case in its percent-encoding only as signed', async () => {
    const head = scene.client.signed({ target: '/fortress/%C3%BC' });
    const lower = await exchange(scene.port, head.text().replace('%C3%BC', '%c3%bc'));
    expect([403, 404]).toContain(lower?.status);
  });
});
