import type { HostileClient } from '../../test/hostile/hostile-client.ts';
import type { Draws } from '../lib/draws.ts';
import { mutate } from '../lib/mutate.ts';

/** What is written to one connection, and whether the sending side is ended behind it. */
export interface DrawnBytes {
  readonly bytes: Buffer;
  readonly finishes: boolean;
}

const bucket = '/fuzz-wire';
const scratch = `${bucket}/scratch`;

/** Whole requests that are signed and right. None is a HEAD, whose answer could not be told from the next one's beginning. */
function rightRequest(draws: Draws, client: HostileClient): string {
  const body = draws.pick(['', 'x', 'body of some length', 'y'.repeat(2000)]);
  const put = (headers: Record<string, string>, payload?: string) =>
    client.signed({ method: 'PUT', target: scratch, body, headers, payload }).text();
  const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  const unsignedChunks = `${body === '' ? '' : `${body.length.toString(16)}\r\n${body}\r\n`}0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n`;
  return draws.pick<() => string>([
    () => client.signed({ target: `${bucket}/kept` }).text(),
    () => client.signed({ target: `${bucket}/kept`, headers: { Range: 'bytes=1-2' } }).text(),
    () => client.signed({ target: `${bucket}?list-type=2&prefix=k` }).text(),
    () => client.signed({ target: '/' }).text(),
    () => client.signed({ target: `${bucket}?tagging=` }).text(),
    () =>
      `GET ${client.presigned({ target: `${bucket}/kept` })} HTTP/1.1\r\nHost: 127.0.0.1:${client.port}\r\n\r\n`,
    () => client.signed({ method: 'DELETE', target: scratch }).text(),
    () => put({}) + body,
    () => put({ Expect: '100-continue' }) + body,
    () => put({}, 'UNSIGNED-PAYLOAD') + body,
    () =>
      client
        .signed({
          method: 'PUT',
          target: scratch,
          payload: 'UNSIGNED-PAYLOAD',
          headers: { 'X-Amz-Decoded-Content-Length': String(body.length) },
        })
        .text({ 'Content-Length': undefined, 'Transfer-Encoding': 'chunked' }) + chunked,
    () => {
      const headers = {
        'Content-Length': String(unsignedChunks.length),
        'Content-Encoding': 'aws-chunked',
        'X-Amz-Decoded-Content-Length': String(body.length),
        'X-Amz-Trailer': 'x-amz-checksum-crc32',
      };
      return put(headers, 'STREAMING-UNSIGNED-PAYLOAD-TRAILER') + unsignedChunks;
    },
    () =>
      `OPTIONS ${scratch} HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://a\r\nAccess-Control-Request-Method: GET\r\n\r\n`,
  ])();
}

const strangeLines = [
  ...[
    'Content-Length: 5',
    'Content-Length: -1',
    'Content-Length: 0x5',
    'Content-Length: 5, 5',
    'Content-Length:',
    'Host: b',
  ],
  ...[
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: identity',
    'Connection: close',
    'Connection: upgrade',
    'Upgrade: h2c',
  ],
  ...[
    'Expect: 100-continue',
    'Expect: x',
    'X-A: \t',
    ' folded',
    'Range: bytes=0-0',
    'If-Match: "',
    'Trailer: a',
  ],
  ...[': no name', 'no colon', 'X-Amz-Date: x', 'X-Amz-Content-Sha256: x', 'Authorization: x', 'Date: x'],
];

/** A few requests on one connection, most of them spoilt somewhere. */
export function drawBytes(draws: Draws, client: HostileClient): DrawnBytes {
  const requests = draws.list(1 + draws.below(3), () => spoil(draws, rightRequest(draws, client)));
  return { bytes: Buffer.concat(requests), finishes: draws.chance(0.85) };
}

function spoil(draws: Draws, text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return draws.weighted<() => Buffer>([
    [2, () => bytes],
    [6, () => mutate(draws, bytes)],
    [2, () => withLine(draws, text)],
    [1, () => Buffer.from(text.replaceAll('\r\n', draws.pick(['\n', '\r', '\r\r\n', '\n\r'])), 'latin1')],
    [
      1,
      () =>
        Buffer.from(text.replace(/Content-Length: \d+/, `Content-Length: ${draws.below(3000)}`), 'latin1'),
    ],
    [1, () => draws.bytes(1 + draws.below(300))],
    [1, () => mutateHead(draws, text)],
    [2, () => withoutCredentials(draws, text)],
  ])();
}

function withLine(draws: Draws, text: string): Buffer {
  const lines = text.split('\r\n');
  const head = lines.indexOf('');
  lines.splice(1 + draws.below(Math.max(1, head)), 0, draws.pick(strangeLines));
  return Buffer.from(lines.join('\r\n'), 'latin1');
}

/** Only within the request line, where most of what is decided is decided. */
function mutateHead(draws: Draws, text: string): Buffer {
  const end = text.indexOf('\r\n');
  const line = mutate(draws, Buffer.from(text.slice(0, end), 'latin1'));
  return Buffer.concat([line, Buffer.from(text.slice(end), 'latin1')]);
}

/** A part of what signs the request left out, emptied, doubled, or called otherwise. */
function withoutCredentials(draws: Draws, text: string): Buffer {
  const parts = [...text.matchAll(/(?:Credential|SignedHeaders|Signature|X-Amz-[A-Za-z]+)=[^,&\s]*/g)];
  if (parts.length === 0) return Buffer.from(text, 'latin1');
  const part = draws.pick(parts);
  const [name = ''] = part[0].split('=');
  const instead = draws.pick([
    '',
    `${name}=`,
    name,
    `${part[0]},${part[0]}`,
    `${part[0]}&${part[0]}`,
    `x${part[0]}`,
    `${name}=/`,
  ]);
  return Buffer.from(text.slice(0, part.index) + instead + text.slice(part.index + part[0].length), 'latin1');
}
