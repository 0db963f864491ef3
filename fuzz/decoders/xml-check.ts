import { parseXml, type XmlElement } from '../../src/s3api/xml-reader.ts';
import type { Draws } from '../lib/draws.ts';
import { mutate } from '../lib/mutate.ts';
import { type DecoderCheck, drawText, outcome } from './decoder.ts';

const names = ['Object', 'Key', 'Part', 'ETag', 'Quiet', 'a', 'Tag', 'x-y_z.1'];
const mostElements = 60;

function drawElement(draws: Draws, name: string, depth: number): XmlElement {
  const isLeaf = depth === 0 || draws.chance(0.4);
  if (isLeaf) return { name, text: drawText(draws, 6), children: [] };
  const children = draws.list(draws.below(4), () => drawElement(draws, draws.pick(names), depth - 1));
  return { name, text: '', children };
}

/** In any of the ways in which XML can say it. */
function write(draws: Draws, { name, text, children }: XmlElement): string {
  const prefix = draws.chance(0.1) ? 's3:' : '';
  const attributes = draws.chance(0.2) ? ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"' : '';
  const inner = children.length > 0 ? writeChildren(draws, children) : writeText(draws, text);
  if (inner === '' && draws.chance(0.5)) return `<${prefix}${name}${attributes}/>`;
  return `<${prefix}${name}${attributes}>${inner}</${prefix}${name}>`;
}

function writeChildren(draws: Draws, children: readonly XmlElement[]): string {
  const between = () => (draws.chance(0.1) ? draws.pick(['<!-- said -->', '<?pi x?>']) : '');
  return children.map((child) => between() + write(draws, child)).join('');
}

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

function writeText(draws: Draws, text: string): string {
  if (text !== '' && !text.includes(']]>') && draws.chance(0.15)) return `<![CDATA[${text}]]>`;
  return Array.from(text, (character) => {
    const point = character.codePointAt(0) as number;
    const numbered = draws.chance(0.5) ? `&#${point};` : `&#x${point.toString(16)};`;
    if (escapes[character] !== undefined) return draws.chance(0.5) ? escapes[character] : numbered;
    return draws.chance(0.1) ? numbered : character;
  }).join('');
}

/** What was written is read again, in whatever form; what is changed is read or refused as MalformedXML. */
export const xmlCheck: DecoderCheck = {
  name: 'XML',
  check: (draws) => {
    const element = { ...drawElement(draws, 'Delete', 0), children: [], text: '' };
    const whole: XmlElement = draws.chance(0.2)
      ? { ...element, text: drawText(draws, 10) }
      : { ...element, children: draws.list(draws.below(5), () => drawElement(draws, draws.pick(names), 3)) };
    const declaration = draws.chance(0.5) ? '<?xml version="1.0" encoding="UTF-8"?>\n' : '';
    const text = declaration + write(draws, whole);
    const read = outcome(() => parseXml(text, 'Delete', 1000));
    if (JSON.stringify(read) !== JSON.stringify({ result: whole })) {
      return { what: `XML is read as ${JSON.stringify(read)}, not ${JSON.stringify(whole)}`, input: text };
    }
    const changed = mutate(draws, Buffer.from(text)).toString('utf8');
    const other = outcome(() => parseXml(changed, 'Delete', mostElements));
    if ('error' in other && other.error.code !== 'MalformedXML') {
      return { what: `changed XML is refused as ${other.error.code}`, input: changed };
    }
    return undefined;
  },
};
