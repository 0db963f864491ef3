import type { Draws } from './draws.ts';

/** Bytes that mean something to one decoder or another. */
const telling = [
  '<',
  '>',
  '&',
  ';',
  '"',
  '/',
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  ':',
  ',',
  '%',
  '0',
  '-1',
  '=',
  ']]>',
  '\xff',
  '\xed\xa0\x80',
];

/** The bytes with a few changes: bits flipped, pieces left out, doubled, exchanged, or put in. At least one. */
export function mutate(draws: Draws, bytes: Buffer): Buffer {
  let changed = bytes;
  for (let count = 1 + draws.below(3); count > 0; count--) changed = mutateOnce(draws, changed);
  return changed;
}

function mutateOnce(draws: Draws, bytes: Buffer): Buffer {
  const at = draws.below(bytes.length + 1);
  const length = 1 + draws.below(draws.chance(0.8) ? 4 : 200);
  const [before, piece, after] = [
    bytes.subarray(0, at),
    bytes.subarray(at, at + length),
    bytes.subarray(at + length),
  ];
  return draws.weighted<() => Buffer>([
    [4, () => flipBit(draws, bytes)],
    [3, () => Buffer.concat([before, after])],
    [2, () => Buffer.concat([before, piece, piece, after])],
    [3, () => Buffer.concat([before, Buffer.from(draws.pick(telling), 'latin1'), piece, after])],
    [1, () => before],
    [1, () => Buffer.concat([before, draws.bytes(length), after])],
    [1, () => Buffer.concat([after, piece, before])],
  ])();
}

function flipBit(draws: Draws, bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes;
  const changed = Buffer.from(bytes);
  const at = draws.below(bytes.length);
  changed[at] = (changed[at] as number) ^ (1 << draws.below(8));
  return changed;
}

/** The bytes in pieces of any size. */
export function slices(draws: Draws, bytes: Buffer, most = 8): Buffer[] {
  const cuts = draws.list(draws.below(most), () => draws.below(bytes.length + 1)).sort((a, b) => a - b);
  const ends = [...cuts, bytes.length];
  return ends
    .map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end))
    .filter(({ length }) => length > 0);
}
