import type { Draws } from '../lib/draws.ts';

const pieces = [
  'a',
  'b',
  'c',
  '/',
  '/',
  '//',
  '-',
  '.',
  ' ',
  '+',
  '%',
  '%2F',
  '&',
  '<',
  '"',
  "'",
  '~',
  '*',
  'é',
  '日',
  '😀',
  '\uffee',
  '\u00a0',
];
/** What XML 1.0 cannot hold, and so only `encoding-type=url` can tell. */
const unsayable = ['\u0001', '\u001f', '\u007f', '\r', '\n', '\t'];

export function drawKey(draws: Draws): string {
  const all = draws.chance(0.1) ? [...pieces, ...unsayable] : pieces;
  const key = draws.list(1 + draws.below(5), () => draws.pick(all)).join('');
  // Clients take these out of a path.
  return /(^|\/)\.{1,2}(\/|$)/.test(key) ? `a${key.replaceAll('.', '-')}` : key;
}

export interface ListQuery {
  readonly version: 1 | 2;
  readonly prefix: string;
  readonly delimiter: string;
  readonly after: string;
  /** Undefined: not sent, so that it is 1,000. */
  readonly limit?: number;
  readonly isUrl: boolean;
}

export function drawQuery(draws: Draws, keys: readonly string[]): ListQuery {
  const some = () => (keys.length > 0 && draws.chance(0.8) ? draws.pick(keys) : drawKey(draws));
  const part = () => {
    const points = Array.from(some());
    return points.slice(0, draws.below(points.length + 1)).join('');
  };
  const query = {
    version: draws.chance(0.5) ? (1 as const) : (2 as const),
    prefix: draws.chance(0.5) ? part() : '',
    delimiter: draws.chance(0.6) ? draws.pick(['/', '/', '//', 'a', 'b/', ' ', '日', '%']) : '',
    after: draws.chance(0.4) ? (draws.chance(0.5) ? some() : part()) : '',
    limit: draws.pick([undefined, 1, 1, 2, 3, 5, 1000, 1001, 0]),
  };
  const told = [...keys, query.prefix, query.after];
  const mustBeUrl = told.some((text) => unsayable.some((character) => text.includes(character)));
  return { ...query, isUrl: draws.chance(0.7) || mustBeUrl };
}
