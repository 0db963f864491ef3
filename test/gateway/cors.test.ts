/** Pages of other sites: what a bucket's rules let a browser do, and what it is told. */
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { RequestParts } from '../hostile/hostile-client.ts';
import { codeOf, exchange, type RawAnswer } from '../hostile/raw-connection.ts';
import { useScene } from '../hostile/scene.ts';

const scene = useScene({ FOREBAY_IO_THREADS: '2' });
const target = '/crossed';
const site = 'https://app.example';

const rule = (inside: string) => `<CORSRule>${inside}</CORSRule>`;
const configuration = (...rules: string[]) =>
  `<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${rules.join('')}</CORSConfiguration>`;
const element = (name: string, ...texts: string[]) =>
  texts.map((text) => `<${name}>${text}</${name}>`).join('');
const forSite = rule(
  element('ID', 'site') +
    element('AllowedMethod', 'GET', 'PUT') +
    element('AllowedOrigin', site) +
    element('AllowedHeader', 'Content-*', 'x-amz-date') +
    element('ExposeHeader', 'ETag', 'x-amz-request-id') +
    element('MaxAgeSeconds', '600'),
);
const forAll = rule(element('AllowedMethod', 'HEAD') + element('AllowedOrigin', '*'));
const forSubdomains = rule(element('AllowedMethod', 'DELETE') + element('AllowedOrigin', 'http://*.example'));

const putCors = (body: string) => scene.client.send({ method: 'PUT', target: `${target}?cors=`, body });
const getCors = () => scene.client.send({ target: `${target}?cors=` });

async function unsigned(parts: RequestParts): Promise<RawAnswer> {
  const { method = 'GET', headers = {} } = parts;
  const lines = { Host: `127.0.0.1:${scene.port}`, ...headers };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  const text = `${method} ${parts.target} HTTP/1.1\r\n${head.join('')}\r\n`;
  const answer = await exchange(scene.port, text, { headOnly: method === 'HEAD' });
  if (answer === undefined) throw new Error(`no answer to ${method} ${parts.target}`);
  return answer;
}

const preflight = (headers: Record<string, string>, path = `${target}/k`) =>
  unsigned({ method: 'OPTIONS', target: path, headers });
const asking = (origin: string, method: string, wanted?: string) =>
  preflight({
    Origin: origin,
    'Access-Control-Request-Method': method,
    ...(wanted === undefined ? {} : { 'Access-Control-Request-Headers': wanted }),
  });
const told = (answer: RawAnswer) => codeOf(answer) ?? answer.status;
const crossOrigin = ({ headers }: RawAnswer) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-') || name === 'vary'));
const vary = 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method';

beforeAll(async () => {
  await scene.client.send({ method: 'PUT', target });
  await scene.client.send({
    method: 'PUT',
    target: `${target}/k`,
    headers: { 'x-amz-acl': 'public-read' },
    body: 'k',
  });
});
beforeEach(async () => {
  await putCors(configuration(forSite, forAll, forSubdomains));
});

describe('the rules of a bucket', () => {
  test('are shown as they were put, and gone when they are deleted', async () => {
    expect((await getCors()).body).toContain(configuration(forSite, forAll, forSubdomains));
    const gone = await scene.client.send({ method: 'DELETE', target: `${target}?cors=` });
    expect(gone.status).toBe(204);
    const answer = await getCors();
    expect([answer.status, told(answer)]).toEqual([404, 'NoSuchCORSConfiguration']);
    expect(answer.body).toContain('<BucketName>crossed</BucketName>');
  });

  const method = element('AllowedMethod', 'GET');
  const origin = element('AllowedOrigin', '*');
  test.each([
    ['', 'MalformedXML', undefined],
    [configuration(), 'MalformedXML', undefined],
    [configuration(rule(method)), 'MalformedXML', undefined],
    [configuration(rule(origin)), 'MalformedXML', undefined],
    [configuration(rule(method + origin + element('Colour', 'red'))), 'MalformedXML', undefined],
    [configuration(rule(method + origin + element('MaxAgeSeconds', '1', '2'))), 'MalformedXML', undefined],
    [configuration(rule(method + origin + element('MaxAgeSeconds', 'long'))), 'MalformedXML', undefined],
    [configuration(...Array(101).fill(rule(method + origin))), 'MalformedXML', undefined],
    [
      configuration(rule(element('AllowedMethod', 'PATCH') + origin)),
      'InvalidRequest',
      'Found unsupported HTTP method in CORS config. Unsupported method is PATCH',
    ],
    [
      configuration(rule(method + element('AllowedOrigin', 'http://*.*'))),
      'InvalidRequest',
      'AllowedOrigin "http://*.*" can not have more than one wildcard.',
    ],
    [
      configuration(rule(method + origin + element('AllowedHeader', '*-*'))),
      'InvalidRequest',
      'AllowedHeader "*-*" can not have more than one wildcard.',
    ],
    [
      configuration(rule(method + origin + element('ExposeHeader', 'x-*'))),
      'InvalidRequest',
      'ExposeHeader "x-*" contains wildcard. We currently do not support wildcard for ExposeHeader.',
    ],
    [
      configuration(rule(method + origin + element('ExposeHeader', 'a&#13;&#10;Set-Cookie: b'))),
      'InvalidRequest',
      undefined,
    ],
    [configuration(rule(method + origin + element('ExposeHeader', '&#8364;'))), 'InvalidRequest', undefined],
  ])('such as %.200s are refused with %s', async (body, code, message) => {
    const answer = await putCors(body);
    expect([answer.status, told(answer)]).toEqual([400, code]);
    const text = /<Message>([^<]*)</.exec(answer.body)?.[1]?.replaceAll('&quot;', '"');
    if (message !== undefined) expect(text).toBe(message);
  });
});

describe('a browser that asks before', () => {
  test('is told what it may do, without a signature', async () => {
    const answer = await asking(site, 'PUT', 'Content-Type, X-Amz-Date');
    expect([answer.status, answer.body]).toEqual([200, '']);
    expect(crossOrigin(answer)).toEqual({
      'access-control-allow-origin': site,
      'access-control-allow-methods': 'GET, PUT',
      'access-control-allow-headers': 'content-type, x-amz-date',
      'access-control-expose-headers': 'ETag, x-amz-request-id',
      'access-control-max-age': '600',
      'access-control-allow-credentials': 'true',
      vary,
    });
  });

  test('for any site is told that any site may', async () => {
    expect(crossOrigin(await asking('https://elsewhere.test', 'HEAD'))).toEqual({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'HEAD',
      vary,
    });
    const own = crossOrigin(await asking('http://a.example', 'DELETE'));
    expect(own['access-control-allow-origin']).toBe('http://a.example');
  });

  test.each([
    ['of a site that is not named', 'https://other.example', 'PUT', undefined],
    ['for a method that is not', site, 'POST', undefined],
    ['for a header that is not', site, 'PUT', 'content-type, x-custom'],
    ['of a site that only begins so', 'http://a.example.test', 'DELETE', undefined],
  ])('%s is refused', async (_what, origin, method, headers) => {
    const answer = await asking(origin, method, headers);
    expect([answer.status, told(answer)]).toEqual([403, 'AccessForbidden']);
    expect(answer.body).toContain('CORSResponse: This CORS request is not allowed.');
    expect(answer.body).toContain(`<Method>${method}</Method><ResourceType>OBJECT</ResourceType>`);
    expect(crossOrigin(answer)).toEqual({});
  });

  test('without saying of which site, or for a method that is none, has asked badly', async () => {
    const nameless = await preflight({});
    expect([nameless.status, told(nameless)]).toEqual([400, 'BadRequest']);
    expect(nameless.body).toContain('Insufficient information. Origin request header needed.');
    const strange = await asking(site, 'FLY');
    expect([strange.status, told(strange)]).toEqual([400, 'BadRequest']);
    expect(strange.body).toContain('Invalid Access-Control-Request-Method: FLY');
  });

  test('of a bucket without rules, or of none, is told so', async () => {
    const none = await preflight({ Origin: site }, '/no-such-bucket-here/k');
    expect([none.status, told(none)]).toEqual([403, 'AccessForbidden']);
    expect(none.body).toContain('CORSResponse: Bucket not found');
    await scene.client.send({ method: 'DELETE', target: `${target}?cors=` });
    const off = await asking(site, 'PUT');
    expect([off.status, told(off)]).toEqual([403, 'AccessForbidden']);
    expect(off.body).toContain('CORSResponse: CORS is not enabled for this bucket.');
    expect(off.body).toContain('<Method>PUT</Method><ResourceType>BUCKET</ResourceType>');
  });

  test('is not asked for the signature that its URL may hold', async () => {
    const link = scene.client.presigned({ method: 'PUT', target: `${target}/k` });
    const headers = { Origin: site, 'Access-Control-Request-Method': 'PUT' };
    expect((await preflight(headers, link)).status).toBe(200);
    expect((await preflight(headers, `${link}0`)).status).toBe(200);
  });
});

describe('an answer', () => {
  test('to a page of a site that is allowed says so, whichever thread answers, and also where it says no', async () => {
    const asked = () => unsigned({ target: `${target}/k`, headers: { Origin: site } });
    for (const answer of await Promise.all(Array.from({ length: 8 }, asked))) {
      expect([answer.status, answer.body]).toEqual([200, 'k']);
      expect(crossOrigin(answer)).toEqual({
        'access-control-allow-origin': site,
        'access-control-allow-methods': 'GET, PUT',
        'access-control-expose-headers': 'ETag, x-amz-request-id',
        'access-control-max-age': '600',
        'access-control-allow-credentials': 'true',
        vary,
      });
    }
    const refused = await unsigned({ target: `${target}/closed`, headers: { Origin: site } });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([403, site]);
    const signed = await scene.client.send({ target: `${target}/k`, headers: { Origin: site } });
    expect(signed.headers.get('access-control-allow-origin')).toBe(site);
  });

  test('to any other, or to one for which there is no rule, says nothing', async () => {
    const others: Record<string, string>[] = [{}, { Origin: 'https://other.example' }];
    for (const headers of others) {
      const answer = await unsigned({ target: `${target}/k`, headers });
      expect([answer.status, crossOrigin(answer)]).toEqual([200, {}]);
    }
    await scene.client.send({ method: 'DELETE', target: `${target}?cors=` });
    const answer = await unsigned({ target: `${target}/k`, headers: { Origin: site } });
    expect([answer.status, crossOrigin(answer)]).toEqual([200, {}]);
  });
});
