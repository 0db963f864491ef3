import { isUtf8 } from 'node:buffer';
import { S3Error } from './errors.ts';

/** A query with more parameters than this is refused: no operation has a tenth of them. */
const maxParameters = 256;

// biome-ignore lint/suspicious/noControlCharactersInRegex: bytes above ASCII are what is looked for.
const plain = /^[\x00-\x24\x26-\x7f]*$/;

/**
 * Takes off percent-encoding, once, and reads the bytes as UTF-8. `+` stands for itself. Each character of `raw` is one byte,
 * as Node gives request targets and headers, so that unencoded UTF-8 is understood too.
 * InvalidURI if an escape is not `%` and two hexadecimal digits, or the bytes are not UTF-8.
 */
export function decodePercent(raw: string): string {
  if (plain.test(raw)) return raw;
  const bytes = Buffer.allocUnsafe(raw.length);
  let length = 0;
  for (let i = 0; i < raw.length; i++) {
    const unit = raw.charCodeAt(i);
    if (unit > 0xff) throw new S3Error('InvalidURI');
    if (unit !== 0x25) {
      bytes[length++] = unit;
      continue;
    }
    const high = hexDigit(raw.charCodeAt(i + 1));
    const low = hexDigit(raw.charCodeAt(i + 2));
    if (high < 0 || low < 0) throw new S3Error('InvalidURI');
    bytes[length++] = high * 16 + low;
    i += 2;
  }
  return decodeUtf8(bytes.subarray(0, length));
}

function hexDigit(unit: number): number {
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30;
  const lower = unit | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function decodeUtf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new S3Error('InvalidURI');
  // Unlike a TextDecoder this keeps a byte order mark, which is part of a key like any other character.
  return bytes.toString('utf8');
}

const noParameters: ReadonlyMap<string, string> = new Map();

/**
 * A query string's parameters, in order of appearance. `+` is a space, a parameter without `=` has the value '', the first of
 * two with the same name counts. InvalidURI.
 */
export function parseQuery(rawQuery: string): ReadonlyMap<string, string> {
  if (rawQuery === '') return noParameters;
  const parameters = new Map<string, string>();
  const pieces = rawQuery.split('&', maxParameters + 1);
  if (pieces.length > maxParameters) throw new S3Error('RequestHeaderSectionTooLarge');
  for (const piece of pieces) {
    if (piece === '') continue;
    const equals = piece.indexOf('=');
    const name = decodeParameter(equals < 0 ? piece : piece.slice(0, equals));
    if (parameters.has(name)) continue;
    parameters.set(name, equals < 0 ? '' : decodeParameter(piece.slice(equals + 1)));
  }
  return parameters;
}

function decodeParameter(raw: string): string {
  return decodePercent(raw.includes('+') ? raw.replaceAll('+', ' ') : raw);
}

/**
 * Percent-encoding as `encoding-type=url` asks for it: that of HTML forms, in which a space is `+`, but with the slashes kept
 * (S3 API Reference, ListObjectsV2: `test_file(3).png` appears as `test_file%283%29.png`).
 */
export function encodeListed(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(/%20|%2F|[!'()~]/g, (c) => {
    if (c === '%20') return '+';
    if (c === '%2F') return '/';
    return `%${c.charCodeAt(0).toString(16).toUpperCase()}`;
  });
}

/** A key as it stands in a URL path. */
export function encodePath(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(/%2F|[!'()*]/g, (c) =>
    c === '%2F' ? '/' : `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
