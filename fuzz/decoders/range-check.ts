import { askedRange, parseRange } from '../../src/s3api/range.ts';
import type { Draws } from '../lib/draws.ts';
import { type DecoderCheck, outcome } from './decoder.ts';

const numbers = [
  '0',
  '1',
  '2',
  '5',
  '9',
  '10',
  '11',
  '99',
  '9007199254740991',
  '9007199254740993',
  '18446744073709551616',
  '00',
  '007',
  '1'.repeat(400),
];

function drawRange(draws: Draws): string {
  const some = () => (draws.chance(0.2) ? '' : draws.pick(numbers));
  const plain = `bytes=${some()}-${some()}`;
  if (draws.chance(0.8)) return plain;
  return draws.pick([
    ` ${plain} `,
    `BYTES${plain.slice(5)}`,
    `${plain},0-1`,
    plain.slice(1),
    `bytes =${plain.slice(6)}`,
    `${plain}x`,
    'bytes=0 - 1',
    'bytes=+1-2',
    'bytes=1e1-2',
  ]);
}

/** RFC 9110, 14.1.2, in whole numbers of any size. Undefined: all of the object; null: nothing of it can be had. */
function model(header: string, size: bigint): readonly [bigint, bigint] | undefined | null {
  const match = /^bytes=([0-9]*)-([0-9]*)$/i.exec(header.trim());
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  if (match[1] === '') {
    const count = BigInt(match[2] ?? '');
    if (count === 0n || size === 0n) return null;
    return [count > size ? 0n : size - count, size];
  }
  const first = BigInt(match[1] ?? '');
  const end = match[2] === '' ? size : BigInt(match[2] ?? '') + 1n;
  if (end <= first && match[2] !== '') return undefined;
  if (first >= size) return null;
  return [first, end > size ? size : end];
}

export const rangeCheck: DecoderCheck = {
  name: 'Range',
  check: (draws) => {
    const header = drawRange(draws);
    const size = draws.pick([0, 1, 2, 10, 11, 100, 5 * 1024 ** 4]);
    const wanted = model(header, BigInt(size));
    const read = outcome(() => parseRange(header, size));
    const shown = 'error' in read ? read.error.code : (read.result ?? 'all');
    const right =
      wanted === null
        ? 'InvalidRange'
        : wanted === undefined
          ? 'all'
          : { start: Number(wanted[0]), end: Number(wanted[1]) };
    if (JSON.stringify(shown) !== JSON.stringify(right)) {
      return {
        what: `the range is ${JSON.stringify(shown)}, not ${JSON.stringify(right)}`,
        input: { header, size },
      };
    }
    // What is read ahead of knowing the size must hold the range that is then asked for.
    const asked = askedRange(header);
    if (
      asked !== undefined &&
      'start' in asked &&
      typeof right === 'object' &&
      !(asked.start <= right.start && asked.end >= right.end)
    ) {
      return {
        what: `what is read ahead, ${JSON.stringify(asked)}, does not hold ${JSON.stringify(right)}`,
        input: header,
      };
    }
    return undefined;
  },
};
