import type { Draws } from '../lib/draws.ts';
import { mutate } from '../lib/mutate.ts';

const oddTexts = [
  '',
  ' ',
  '-1',
  '0',
  '99999999999999999999',
  'true',
  'x'.repeat(3000),
  '&amp;',
  '\u0085',
  'null',
];
const oddValues: readonly unknown[] = [
  '',
  '*',
  [],
  {},
  null,
  0,
  -1,
  true,
  ['x', 1],
  { AWS: [] },
  '${',
  '0.0.0.0/0',
  'x'.repeat(3000),
];

/** A document that is still one, or nearly, and says something else: a part left out, doubled or replaced; or with any bytes changed. */
export function spoilDocument(draws: Draws, document: string): Buffer {
  if (document === '' || draws.chance(0.4)) return mutate(draws, Buffer.from(document));
  return Buffer.from(document.startsWith('{') ? spoilJson(draws, document) : spoilXml(draws, document));
}

/** Elements in whatever they lie: their place, their name, and what is inside. */
function spoilXml(draws: Draws, text: string): string {
  const starts = [...text.matchAll(/<([A-Za-z]+)[^>/]*>/g)];
  if (starts.length === 0) return text;
  const start = draws.pick(starts);
  const name = start[1] ?? '';
  const inner = start.index + start[0].length;
  const innerEnd = text.indexOf(`</${name}>`, inner);
  const end = innerEnd + name.length + 3;
  if (innerEnd < 0) return text;
  const put = (element: string): string => text.slice(0, start.index) + element + text.slice(end);
  const element = text.slice(start.index, end);
  const other = draws.pick(starts)[1] ?? '';
  return draws.pick([
    () => put(''),
    () => put(element + element),
    () => put(`<${name}/>`),
    () => put(`${start[0]}${draws.pick(oddTexts)}</${name}>`),
    () => put(element.replaceAll(new RegExp(`(</?)${name}(?=[ >])`, 'g'), `$1${other}`)),
    () => put(`<${other}>${element}</${other}>`),
  ])();
}

function spoilJson(draws: Draws, text: string): string {
  const whole = JSON.parse(text) as unknown;
  const places: { holder: Record<string, unknown>; name: string }[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const name of Object.keys(value)) {
      places.push({ holder: value as Record<string, unknown>, name });
      visit((value as Record<string, unknown>)[name]);
    }
  };
  visit(whole);
  const { holder, name } = draws.pick(places);
  draws.pick([
    () => delete holder[name],
    () => (holder[draws.pick(places).name] = holder[name]),
    () => (holder[name] = draws.pick(oddValues)),
  ])();
  return JSON.stringify(whole);
}
