import { createHmac, hash } from 'node:crypto';
import { HmacKey } from './hmac-key.ts';

/**
 * Signature Version 4 as pure functions.
 * Source: S3 API Reference, "Authenticating Requests (AWS Signature Version 4)".
 */

export const signingAlgorithm = 'AWS4-HMAC-SHA256';

/** The header form of strings here: one character a byte (latin-1), which is what Node gives for headers and targets. */
export interface CanonicalParts {
  readonly method: string;
  /** From `canonicalPath` or `standardCanonicalPath`. */
  readonly path: string;
  /** From `canonicalQuery`. */
  readonly query: string;
  /** Names as the client listed them, and each one's canonical value, in that order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The list as the client sent it, names parted by `;`. */
  readonly signedHeaders: string;
  readonly payloadHash: string;
}

export function canonicalRequest(parts: CanonicalParts): string {
  let text = `${parts.method}\n${parts.path}\n${parts.query}\n`;
  for (const [name, value] of parts.headers) text += `${name}:${value}\n`;
  return `${text}\n${parts.signedHeaders}\n${parts.payloadHash}`;
}

/** `scope` is `date/region/service/aws4_request`. */
export function stringToSign(amzDate: string, scope: string, request: string): string {
  return `${signingAlgorithm}\n${amzDate}\n${scope}\n${hashLatin1(request)}`;
}

/** `date` is `yyyymmdd`. Four HMACs: worth keeping for as long as the day lasts. */
export function deriveSigningKey(secret: string, date: string, region: string, service: string): HmacKey {
  let key = Buffer.from(`AWS4${secret}`);
  for (const part of [date, region, service, 'aws4_request']) {
    key = createHmac('sha256', key).update(part).digest();
  }
  return new HmacKey(key);
}

/** The signature in lower-case hex. `text` is ASCII. */
export function sign(key: HmacKey, text: string): string {
  return key.hex(text);
}

const canonicalPathForm = /^[A-Za-z0-9\-._~/]*$/;

/**
 * S3's form of a path: decoded once and encoded again, byte by byte, without touching slashes or dot segments. So `%7e`
 * and `~` sign alike, and an unencoded space or `é` signs as its percent-encoded bytes. A `%` that begins no escape is data.
 */
export function canonicalPath(rawPath: string): string {
  return canonicalPathForm.test(rawPath) ? rawPath || '/' : recode(rawPath, pathBytes, false);
}

/** The form of every other service: the path as sent is normalised (RFC 3986, 6.2) and encoded once more. */
export function standardCanonicalPath(rawPath: string): string {
  const segments: string[] = [];
  for (const segment of rawPath.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(encode(segment));
  }
  const folder = segments.length > 0 && rawPath.endsWith('/');
  return `/${segments.join('/')}${folder ? '/' : ''}`;
}

/** Name and value of each parameter, in canonical encoding, in order of appearance. */
export type CanonicalParameters = readonly (readonly [name: string, value: string])[];

/** Takes a query as sent, without `?`. A `+` is a space, as S3 and HTML forms read it. */
export function queryParameters(rawQuery: string): CanonicalParameters {
  if (rawQuery === '') return [];
  const parameters: (readonly [string, string])[] = [];
  for (const piece of rawQuery.split('&')) {
    if (piece === '') continue;
    const equals = piece.indexOf('=');
    const name = equals < 0 ? piece : piece.slice(0, equals);
    const value = equals < 0 ? '' : piece.slice(equals + 1);
    parameters.push([recode(name, unreserved, true), recode(value, unreserved, true)]);
  }
  return parameters;
}

/** Sorted by the bytes of the encoded names, then values; `X-Amz-Signature` cannot sign itself and is left out. */
export function canonicalQuery(parameters: CanonicalParameters): string {
  if (parameters.length === 0) return '';
  return parameters
    .filter(([name]) => name !== 'X-Amz-Signature')
    .sort((a, b) => compareAscii(a[0], b[0]) || compareAscii(a[1], b[1]))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

const unusualValue = /^[ \t]|[ \t]$|\t| {2}/;

/**
 * Blanks around a header's value are cut off and each run of blanks inside becomes one space. Only space and tab are
 * blanks: other bytes that count as white space in Unicode may be part of a UTF-8 sequence here.
 */
export function canonicalHeaderValue(value: string): string {
  if (!unusualValue.test(value)) return value;
  return value.replace(/[ \t]+/g, ' ').replace(/^ | $/g, '');
}

/** SHA-256 in hex of text whose characters are bytes. */
export function hashLatin1(text: string): string {
  // Only ASCII is as long in UTF-8 as it has characters, and then it is the same in both.
  return hash('sha256', Buffer.byteLength(text) === text.length ? text : Buffer.from(text, 'latin1'), 'hex');
}

const unreserved = bytesOf('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~');
const pathBytes = bytesOf('/', unreserved);
const escapes: readonly string[] = Array.from(
  { length: 256 },
  (_, byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
);

function bytesOf(characters: string, base?: Uint8Array): Uint8Array {
  const table = base ? base.slice() : new Uint8Array(256);
  for (const character of characters) table[character.charCodeAt(0)] = 1;
  return table;
}

/** Decodes percent escapes and encodes every byte again that is not in `kept`. */
function recode(text: string, kept: Uint8Array, plusIsSpace: boolean): string {
  let out = '';
  for (let i = 0; i < text.length; i++) {
    let byte = text.charCodeAt(i) & 0xff;
    if (byte === 0x25) {
      const value = escapedByte(text, i);
      if (value >= 0) {
        byte = value;
        i += 2;
      }
    } else if (byte === 0x2b && plusIsSpace) {
      byte = 0x20;
    }
    out += kept[byte] ? String.fromCharCode(byte) : escapes[byte];
  }
  return out;
}

function encode(text: string): string {
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const byte = text.charCodeAt(i) & 0xff;
    out += unreserved[byte] ? text[i] : escapes[byte];
  }
  return out;
}

/** The byte that the escape at `index` stands for, or -1 if it is none. */
function escapedByte(text: string, index: number): number {
  const high = hexValue(text.charCodeAt(index + 1));
  const low = hexValue(text.charCodeAt(index + 2));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function compareAscii(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
