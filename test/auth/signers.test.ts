import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import aws4 from 'aws4';
import fc from 'fast-check';
import {
  exampleAccessKeyId,
  exampleAuthenticator,
  exampleDate,
  exampleSecret,
  exampleTimeMs,
  request,
} from './fixtures.ts';

const credentials = { accessKeyId: exampleAccessKeyId, secretAccessKey: exampleSecret };

/** Leaves what may stand unencoded in a path as it is, or encodes all but letters and digits. */
const encodings = [
  encodeURIComponent,
  (text: string) =>
    encodeURIComponent(text).replace(/%(24|26|2C|3A|3B|3D|40)/g, (encoded) => decodeURIComponent(encoded)),
  (text: string) =>
    Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
];

const text = fc.string({ unit: 'binary', maxLength: 12 }).filter((value) => value.isWellFormed());
const encoded = fc.tuple(text, fc.constantFrom(...encodings)).map(([value, encode]) => encode(value));
const segment = fc.oneof({ weight: 4, arbitrary: encoded }, fc.constantFrom('', '.', '..', '~', "it's(1)*!"));
const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => `/${segments.join('/')}`);
// aws4 takes the first of two parameters of one name, and leaves out those without a name and one called __proto__.
const query = fc
  .uniqueArray(fc.tuple(encoded, encoded), { selector: ([name]) => decodeURIComponent(name), maxLength: 5 })
  .map((pairs) =>
    pairs
      .filter(([name]) => !['', '__proto__'].includes(decodeURIComponent(name)))
      .map(([name, value]) => `${name}=${value}`)
      .join('&'),
  );
const headerValue = fc.string({
  unit: fc.constantFrom('a', 'Z', ' ', '  ', '\t', 'é', '"', ',', ';', '日'),
  maxLength: 10,
});
const headers = fc.dictionary(
  fc
    .string({ unit: fc.constantFrom('a', 'b', '-', '1'), minLength: 1, maxLength: 6 })
    .map((name) => `x-amz-meta-${name}`),
  headerValue,
  { maxKeys: 4 },
);
const method = fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'HEAD');

interface Drawn {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
}
const drawn: fc.Arbitrary<Drawn> = fc.record({ method, path, query, headers });

/** Signs with aws4 and presents the result as it would come off the wire. */
function signedByAws4(drawn: Drawn, service: string, signQuery: boolean) {
  const options = {
    host: 'localhost:9000',
    method: drawn.method,
    path: drawn.query === '' ? drawn.path : `${drawn.path}?${drawn.query}`,
    service,
    region: 'us-east-1',
    signQuery,
    headers: {
      'X-Amz-Date': exampleDate,
      ...(signQuery ? {} : { 'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD' }),
      ...drawn.headers,
    },
  };
  if (signQuery) delete (options.headers as Record<string, string>)['X-Amz-Date'];
  if (signQuery) options.path += `${drawn.query === '' ? '?' : '&'}X-Amz-Date=${exampleDate}`;
  const signed = aws4.sign(options, credentials);
  const sent = Object.entries(signed.headers ?? {}).map(
    ([name, value]) => [name, Buffer.from(String(value)).toString('latin1')] as const,
  );
  return request(drawn.method, signed.path as string, sent);
}

/** Made by botocore_vectors.py. */
const vectors: readonly {
  readonly form: 'header' | 'query';
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
}[] = JSON.parse(readFileSync(new URL('./botocore-vectors.json', import.meta.url), 'utf8'));
const named = vectors.map((vector) => ({ ...vector, path: vector.target.split('?')[0] }));

describe('requests that other implementations signed', () => {
  test('aws4: any method, path, query and headers, in the header form', () => {
    fc.assert(
      fc.property(drawn, (value) => {
        const signed = signedByAws4(value, 's3', false);
        expect(exampleAuthenticator().authenticate(signed).form).toBe('header');
      }),
      { numRuns: 1000 },
    );
  });

  test('aws4: any method, path, query and headers, presigned', () => {
    fc.assert(
      fc.property(drawn, (value) => {
        const signed = signedByAws4(value, 's3', true);
        expect(exampleAuthenticator().authenticate(signed).form).toBe('query');
      }),
      { numRuns: 1000 },
    );
  });

  test('aws4: any path of another service, which is normalised and encoded twice', () => {
    const settings = { region: 'us-east-1', service: 'forebay' };
    fc.assert(
      fc.property(drawn, (value) => {
        const signed = signedByAws4(value, 'forebay', false);
        expect(exampleAuthenticator(exampleTimeMs, settings).authenticate(signed).form).toBe('header');
      }),
      { numRuns: 500 },
    );
  });

  test.each(named)('botocore: $method $path ($form)', (vector) => {
    const sent = Object.entries(vector.headers).map(
      ([name, value]) => [name, Buffer.from(String(value)).toString('latin1')] as const,
    );
    const signed = request(vector.method, vector.target, sent);
    expect(exampleAuthenticator().authenticate(signed).form).toBe(vector.form);
    const moved = { ...signed, rawPath: `${signed.rawPath}x` };
    expect(() => exampleAuthenticator().authenticate(moved)).toThrow(/does not match/);
  });
});
