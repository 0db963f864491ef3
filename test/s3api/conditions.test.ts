import { describe, expect, test } from '@jest/globals';
import {
  checkCopySourceConditions,
  checkReadConditions,
  naming,
  parseEntityTags,
  parseWriteCondition,
  rangeApplies,
} from '../../src/s3api/conditions.ts';
import { S3Error } from '../../src/s3api/errors.ts';

const lastModifiedMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const version = { etag: 'abc', lastModifiedMs };
const same = 'Fri, 02 Jan 2026 03:04:05 GMT';
const before = 'Fri, 02 Jan 2026 03:04:04 GMT';
const after = 'Fri, 02 Jan 2026 03:04:06 GMT';

function read(headers: Record<string, string>): string {
  try {
    checkReadConditions(headers, version, () => ({ etag: '"abc"' }));
    return 'OK';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('conditions of a read', () => {
  test.each([
    [{}, 'OK'],
    [{ 'if-match': '"abc"' }, 'OK'],
    [{ 'if-match': 'abc' }, 'OK'],
    [{ 'if-match': '*' }, 'OK'],
    [{ 'if-match': '"x", "abc"' }, 'OK'],
    [{ 'if-match': '"x,abc"' }, 'PreconditionFailed'],
    [{ 'if-match': 'W/"abc"' }, 'PreconditionFailed'],
    [{ 'if-match': '"ABC"' }, 'PreconditionFailed'],
    [{ 'if-match': '' }, 'PreconditionFailed'],
    [{ 'if-none-match': '"abc"' }, 'NotModified'],
    [{ 'if-none-match': 'W/"abc"' }, 'NotModified'],
    [{ 'if-none-match': '*' }, 'NotModified'],
    [{ 'if-none-match': '"x","y"' }, 'OK'],
    [{ 'if-none-match': '"x" , W/"abc"' }, 'NotModified'],
    [{ 'if-modified-since': before }, 'OK'],
    // Half a second of the file's time is not seen: HTTP dates have whole seconds.
    [{ 'if-modified-since': same }, 'NotModified'],
    [{ 'if-modified-since': after }, 'NotModified'],
    [{ 'if-modified-since': 'yesterday, or so' }, 'OK'],
    [{ 'if-unmodified-since': before }, 'PreconditionFailed'],
    [{ 'if-unmodified-since': same }, 'OK'],
    [{ 'if-unmodified-since': after }, 'OK'],
    // S3 API Reference, GetObject: If-Match true and If-Unmodified-Since false is 200; If-None-Match false and
    // If-Modified-Since true is 304.
    [{ 'if-match': '"abc"', 'if-unmodified-since': before }, 'OK'],
    [{ 'if-none-match': '"abc"', 'if-modified-since': before }, 'NotModified'],
    [{ 'if-none-match': '"x"', 'if-modified-since': after }, 'OK'],
    [{ 'if-match': '"x"', 'if-none-match': '"abc"' }, 'PreconditionFailed'],
    [{ 'if-match': '"abc"', 'if-none-match': '"abc"' }, 'NotModified'],
  ])('%j is %s', (headers, code) => {
    expect(read(headers as Record<string, string>)).toBe(code);
  });

  test('a 304 says which version it is about', () => {
    expect(() => checkReadConditions({ 'if-none-match': '*' }, version, () => ({ etag: '"abc"' }))).toThrow(
      expect.objectContaining({ code: 'NotModified', headers: { etag: '"abc"' } }),
    );
  });

  test('a 412 names the condition', () => {
    expect(() => checkReadConditions({ 'if-match': '"x"' }, version, () => ({}))).toThrow(
      expect.objectContaining({ extra: { Condition: 'If-Match' } }),
    );
  });
});

describe('conditions on the source of a copy', () => {
  const prefix = 'x-amz-copy-source-';
  test.each([
    [{ [`${prefix}if-match`]: '"abc"', [`${prefix}if-unmodified-since`]: before }, undefined],
    [{ [`${prefix}if-none-match`]: '"abc"', [`${prefix}if-modified-since`]: before }, 'If-None-Match'],
    [{ [`${prefix}if-modified-since`]: same }, 'If-Modified-Since'],
    [{ [`${prefix}if-unmodified-since`]: before }, 'If-Unmodified-Since'],
    [{ [`${prefix}if-match`]: '"x"' }, 'If-Match'],
    [{ 'if-none-match': '"abc"' }, undefined],
  ])('%j fails %s', (headers, failed) => {
    const check = () => checkCopySourceConditions(headers as Record<string, string>, version);
    if (failed === undefined) expect(check).not.toThrow();
    else {
      expect(check).toThrow(
        expect.objectContaining({ code: 'PreconditionFailed', extra: { Condition: `${prefix}${failed}` } }),
      );
    }
  });
});

describe('If-Range (RFC 9110, 13.1.5)', () => {
  test.each([
    [undefined, true],
    ['"abc"', true],
    ['abc', true],
    ['"x"', false],
    ['W/"abc"', false],
    ['*', false],
    [same, true],
    [before, false],
    [after, false],
    ['Fri, someday', false],
  ])('%s: the range counts: %s', (header, counts) => {
    expect(rangeApplies({ 'if-range': header }, version)).toBe(counts);
  });
});

describe('the condition of a write', () => {
  test.each([
    [{}, undefined],
    [{ 'if-none-match': '*' }, { ifNoneMatch: '*' }],
    [{ 'if-match': '"abc"' }, { ifMatch: 'abc' }],
    [{ 'if-match': 'abc' }, { ifMatch: 'abc' }],
    [{ 'if-match': '*' }, { ifMatch: '*' }],
  ])('%j is %j', (headers, condition) => {
    expect(parseWriteCondition(headers as Record<string, string>)).toEqual(condition);
  });

  test.each([
    [{ 'if-none-match': '"abc"' }],
    [{ 'if-none-match': '*', 'if-match': '"abc"' }],
    [{ 'if-match': '"abc", "def"' }],
    [{ 'if-match': 'W/"abc"' }],
    [{ 'if-match': '' }],
    [{ 'if-unmodified-since': after }],
    [{ 'if-modified-since': before }],
  ])('%j is refused and not passed over', (headers) => {
    expect(() => parseWriteCondition(headers as Record<string, string>)).toThrow(
      expect.objectContaining({ code: 'NotImplemented' }),
    );
  });
});

test('a refused condition is named, with what is wrong about it', () => {
  const refusal = (headers: Record<string, string>) => {
    try {
      return parseWriteCondition(headers);
    } catch (error) {
      return (error as S3Error).extra;
    }
  };
  expect(refusal({ 'if-none-match': '"abc"' })).toEqual({
    Header: 'If-None-Match',
    additionalMessage: "We don't accept the provided value of If-None-Match header for this API",
  });
  expect(refusal({ 'if-none-match': '*', 'if-match': '"abc"' })).toEqual({
    Header: 'If-Match,If-None-Match',
    additionalMessage: 'Multiple conditional request headers present in the request',
  });
});

test.each([
  ['PreconditionFailed', { ifMatch: 'abc' }, { Condition: 'If-Match' }],
  ['PreconditionFailed', { ifNoneMatch: '*' }, { Condition: 'If-None-Match' }],
  ['ConditionalRequestConflict', { ifNoneMatch: '*' }, { Condition: 'If-None-Match', Key: 'k' }],
  ['NoSuchKey', { ifMatch: 'abc' }, { Key: 'k' }],
  ['InternalError', { ifMatch: 'abc' }, {}],
] as const)('%s of a write with %j tells %j', async (code, condition, extra) => {
  const write = naming(condition, 'k', async () => {
    throw new S3Error(code);
  });
  await expect(write).rejects.toMatchObject({ code, extra });
});

test('a list of entity tags may hold commas inside quotes', () => {
  expect(parseEntityTags('"a,b", W/"c" ,d')).toEqual([
    { weak: false, value: 'a,b' },
    { weak: true, value: 'c' },
    { weak: false, value: 'd' },
  ]);
});
