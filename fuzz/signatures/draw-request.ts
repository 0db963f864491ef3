import type { Draws } from '../lib/draws.ts';
import { strict } from '../lib/s3-side.ts';

/** A request as a client has it before it is signed: path and query are encoded already. */
export interface Unsigned {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly form: 'header' | 'query';
}

const characters = [
  ...[
    'a',
    'Z',
    '0',
    '-',
    '_',
    '.',
    '~',
    '/',
    '//',
    ' ',
    '+',
    '%',
    '&',
    '=',
    '?',
    '#',
    ';',
    ',',
    ':',
    '@',
    '$',
  ],
  ...["'", '"', '(', ')', '*', '!', '[', ']', '{', '|', '\\', '^', '`', '<', '>', 'é', '日', '🎉', '\u0001'],
];
/** Parameter names that clients send, and some that nobody knows. */
const names = [
  'prefix',
  'delimiter',
  'list-type',
  'uploads',
  'versionId',
  'x-id',
  'A',
  'a',
  'a-',
  'a.b',
  'key+1',
  'ü',
];

export function drawUnsigned(draws: Draws): Unsigned {
  const text = (length: number) => draws.list(draws.below(length), () => draws.pick(characters)).join('');
  const path = `/bucket/${text(8)}`.split('/').map(strict).join('/');
  const parameters = draws.shuffled(names).slice(0, draws.below(4));
  const query = parameters
    .map((name) => `${strict(name)}=${draws.chance(0.3) ? '' : strict(text(6))}`)
    .join('&');
  const headers: Record<string, string> = {};
  for (let count = draws.below(3); count > 0; count--) {
    const value = draws
      .list(draws.below(6), () => draws.pick(['a', 'b c', '  ', 'x,y', '"', 'a=b;c', '\t']))
      .join('');
    headers[`x-amz-meta-${draws.pick(['a', 'b', 'long-name'])}`] = value.trim();
  }
  const method = draws.pick(['GET', 'PUT', 'POST', 'DELETE', 'HEAD']);
  return { method, path, query, headers, form: draws.chance(0.5) ? 'header' : 'query' };
}
