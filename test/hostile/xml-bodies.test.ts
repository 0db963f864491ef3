import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { codeOf } from './raw-connection.ts';
import { useScene } from './scene.ts';

const scene = useScene();
afterEach(() => scene.expectUntouched());

const bomb =
  '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa">' +
  Array.from({ length: 9 }, (_, index) => {
    const [name, inner] = [String.fromCharCode(98 + index), String.fromCharCode(97 + index)];
    return `<!ENTITY ${name} "${`&${inner};`.repeat(10)}">`;
  }).join('') +
  ']>';

const deletion = (key: string, head = ''): string =>
  `${head}<Delete><Object><Key>${key}</Key></Object></Delete>`;

const malicious: readonly (readonly [string, string])[] = [
  ['a bomb of entities', deletion('&j;', bomb)],
  ['a DOCTYPE', deletion('kept', '<!DOCTYPE Delete>')],
  ['an entity of a file', deletion('&x;', '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>')],
  ['an entity from elsewhere', deletion('&x;', '<!DOCTYPE d [<!ENTITY x SYSTEM "http://127.0.0.1:1/">]>')],
  ['an unknown entity', deletion('&unknown;')],
  ['elements nested 10,000 deep', `<Delete>${'<a>'.repeat(10_000)}${'</a>'.repeat(10_000)}</Delete>`],
  ['elements that never end', '<Delete><Object><Key>kept</Key>'.repeat(1_000)],
  ['crossed elements', '<Delete><Object><Key>kept</Object></Key></Delete>'],
  ['two roots', `${deletion('kept')}${deletion('kept')}`],
  ['text behind its end', `${deletion('kept')}nonsense`],
  ['a NUL', deletion('ke\x00pt')],
  ['a reference to a NUL', deletion('ke&#0;pt')],
  ['bytes that are no UTF-8', deletion('\xff\xfe')],
  ['nothing', ''],
  ['JSON', '{"Delete":{"Object":{"Key":"kept"}}}'],
];

describe('a list of deletions with', () => {
  // S3 writes characters that XML 1.0 lacks as references, so that a key with a NUL can be named.
  test.each(malicious.filter(([name]) => name !== 'a reference to a NUL'))(
    '%s is malformed',
    async (_, body) => {
      const md5 = createHash('md5').update(body, 'latin1').digest('base64');
      const answer = await scene.client.send({
        method: 'POST',
        target: '/fortress?delete=',
        headers: { 'Content-MD5': md5 },
        body,
      });
      expect([answer.status, codeOf(answer)]).toEqual([400, 'MalformedXML']);
    },
  );

  test('more bytes than any may have is refused', async () => {
    const body = `<Delete>${'<Object><Key>none</Key></Object>'.repeat(200_000)}</Delete>`;
    const md5 = createHash('md5').update(body, 'latin1').digest('base64');
    const answer = await scene.client.send({
      method: 'POST',
      target: '/fortress?delete=',
      headers: { 'Content-MD5': md5 },
      body,
    });
    expect(answer.status).toBe(400);
    expect(['MalformedXML', 'MaxMessageLengthExceeded', 'EntityTooLarge']).toContain(codeOf(answer));
  });
});

describe('the configuration of a new bucket with', () => {
  test.each(malicious.filter(([name]) => name !== 'nothing'))('%s is malformed', async (_, body) => {
    const answer = await scene.client.send({ method: 'PUT', target: '/never-made', body });
    expect(answer.status).toBe(400);
    expect(['MalformedXML', 'MaxMessageLengthExceeded']).toContain(codeOf(answer));
    expect((await scene.client.send({ method: 'HEAD', target: '/never-made' })).status).toBe(404);
  });
});

describe('the end of an upload with', () => {
  test.each(malicious)('%s is refused, and the upload goes on', async (name, body) => {
    const created = await scene.client.send({ method: 'POST', target: '/fortress/parts?uploads=' });
    const uploadId = /<UploadId>([^<]+)</.exec(created.body)?.[1] ?? '';
    const target = `/fortress/parts?uploadId=${encodeURIComponent(uploadId)}`;
    const answer = await scene.client.send({ method: 'POST', target, body });
    const code = name === 'nothing' ? 'InvalidRequest' : 'MalformedXML';
    expect([answer.status, codeOf(answer)]).toEqual([400, code]);
    expect((await scene.client.send({ target })).status).toBe(200);
    expect((await scene.client.send({ method: 'DELETE', target })).status).toBe(204);
  });
});
