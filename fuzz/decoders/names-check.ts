import { parseCopySource } from '../../src/s3api/copy-source.ts';
import { decodePercent, parseQuery } from '../../src/s3api/percent.ts';
import type { Draws } from '../lib/draws.ts';
import { mutate } from '../lib/mutate.ts';
import { encodePath, strict } from '../lib/s3-side.ts';
import { type DecoderCheck, drawText, outcome } from './decoder.ts';

/** Some characters as they are, some encoded, as clients do it. */
function encode(draws: Draws, text: string): string {
  return Array.from(text, (character) => {
    if (/[A-Za-z0-9/]/.test(character) && !draws.chance(0.1)) return character;
    const bytes = Array.from(Buffer.from(character), (byte) => byte.toString(16).padStart(2, '0'));
    const escaped = bytes.map((byte) => `%${draws.chance(0.5) ? byte.toUpperCase() : byte}`).join('');
    return escaped;
  }).join('');
}

export const copySourceCheck: DecoderCheck = {
  name: 'x-amz-copy-source',
  check: (draws) => {
    const key = `k${drawText(draws, 12)}`;
    const source = `${draws.chance(0.5) ? '/' : ''}bucket/${draws.chance(0.5) ? encodePath(key) : encode(draws, key)}`;
    const read = outcome(() => parseCopySource({ 'x-amz-copy-source': source }));
    const found = 'error' in read ? read.error.code : read.result;
    if (typeof found === 'string' || found.bucket !== 'bucket' || found.key !== key) {
      return {
        what: `the source is read as ${JSON.stringify(found)}, not ${JSON.stringify(key)}`,
        input: source,
      };
    }
    const changed = mutate(draws, Buffer.from(source)).toString('latin1');
    const other = outcome(() => parseCopySource({ 'x-amz-copy-source': changed }));
    if ('error' in other && other.error.status >= 500 && other.error.code !== 'NotImplemented') {
      return { what: `a changed source is answered ${other.error.code}`, input: changed };
    }
    return undefined;
  },
};

export const percentCheck: DecoderCheck = {
  name: 'percent-encoding',
  check: (draws) => {
    const text = drawText(draws, 12);
    const encoded = encode(draws, text);
    const read = outcome(() => decodePercent(encoded));
    if (!('result' in read) || read.result !== text)
      return { what: `it is decoded as ${JSON.stringify(read)}`, input: encoded };
    const changed = mutate(draws, Buffer.from(encoded)).toString('latin1');
    const other = outcome(() => decodePercent(changed));
    if ('error' in other && other.error.code !== 'InvalidURI')
      return { what: `it is refused as ${other.error.code}`, input: changed };
    if ('result' in other && !other.result.isWellFormed())
      return { what: 'what is decoded is no text', input: changed };
    return undefined;
  },
};

/** Beside the platform's own reader of queries, which takes the first of two parameters of one name too. */
export const queryCheck: DecoderCheck = {
  name: 'queries',
  check: (draws) => {
    const part = () =>
      draws.chance(0.2) ? draws.pick(['', '+', 'a+b', '%2B', '%20']) : strict(drawText(draws, 4));
    const pieces = draws.list(draws.below(5), () => (draws.chance(0.2) ? part() : `${part()}=${part()}`));
    const query = pieces.join('&');
    const wanted = new URLSearchParams(query);
    const read = outcome(() => parseQuery(query));
    if ('error' in read) return { what: `a query is refused as ${read.error.code}`, input: query };
    for (const [name, value] of read.result) {
      if (wanted.get(name) !== value)
        return { what: `${JSON.stringify(name)} is ${JSON.stringify(value)}`, input: query };
    }
    const count = new Set(wanted.keys()).size;
    if (read.result.size !== count)
      return { what: `${read.result.size} parameters are read, not ${count}`, input: query };
    return undefined;
  },
};
