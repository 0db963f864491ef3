import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { S3Error } from './errors.ts';

/** An element of a request's body. Namespace prefixes are taken off, attributes left out. */
export interface XmlElement {
  readonly name: string;
  /** All text directly inside, entities resolved, white space kept. */
  readonly text: string;
  readonly children: readonly XmlElement[];
}

/** No body of S3 is nested deeper than five. */
const maxDepth = 16;

const declarations = /<!(?!--|\[CDATA\[)/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that XML 1.0 does not allow.
const forbidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
const reference = /&([^;&]*);?/g;
const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/**
 * Refuses a body of more elements than it could rightly have, before anything is built of it: half a million of them take a second
 * of the one thread that everybody shares. Each element has a start tag, and an end tag unless it closes itself.
 */
function checkMarkup(text: string, maxElements: number): void {
  // The root, the declaration, and a comment or two.
  let left = 2 * maxElements + 16;
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', at + 1)) {
    if (--left < 0) throw new S3Error('MalformedXML');
  }
}

/**
 * The root element of a request's body, which must have the given name. There are no DOCTYPE and no entities but XML's own
 * five and character references, so that nothing can expand; the caller bounds the text's length.
 * `maxElements`: how many elements such a body has at most, the root not counted. MalformedXML for everything else.
 */
export function parseXml(text: string, rootName: string, maxElements: number): XmlElement {
  checkMarkup(text, maxElements);
  if (declarations.test(text) || forbidden.test(text)) throw new S3Error('MalformedXML');
  // The validator misses text behind a root that closes itself.
  if (!text.trimEnd().endsWith('>')) throw new S3Error('MalformedXML');
  const [root, ...others] = parseNodes(text).filter((node) => !isBlank(node));
  if (root === undefined || others.length > 0) throw new S3Error('MalformedXML');
  const element = toElement(root);
  if (element.name !== rootName) throw new S3Error('MalformedXML');
  return element;
}

/** A node as the parser gives it in its `preserveOrder` form: one property, the element's name or `#text` or `#cdata`. */
type ParsedNode = Readonly<Record<string, unknown>>;

function parseNodes(text: string): readonly ParsedNode[] {
  // The validator finds what the parser forgives: tags that do not match, text around the root, bad attributes.
  if (XMLValidator.validate(text) !== true) throw new S3Error('MalformedXML');
  const parser = new XMLParser({
    preserveOrder: true,
    ignoreAttributes: true,
    parseTagValue: false,
    trimValues: false,
    // References are resolved below, where an unknown one is an error and not text.
    processEntities: false,
    cdataPropName: '#cdata',
    removeNSPrefix: true,
    ignoreDeclaration: true,
    ignorePiTags: true,
    maxNestedTags: maxDepth,
  });
  try {
    return parser.parse(text) as readonly ParsedNode[];
  } catch (cause) {
    throw new S3Error('MalformedXML', { cause });
  }
}

function isBlank(node: ParsedNode): boolean {
  return typeof node['#text'] === 'string' && node['#text'].trim() === '';
}

function elementName(node: ParsedNode): string | undefined {
  return Object.keys(node).find((key) => !key.startsWith('#') && !key.startsWith(':'));
}

function toElement(node: ParsedNode): XmlElement {
  const name = elementName(node);
  if (name === undefined) throw new S3Error('MalformedXML');
  let text = '';
  const children: XmlElement[] = [];
  for (const child of node[name] as readonly ParsedNode[]) {
    if (typeof child['#text'] === 'string') text += resolveReferences(child['#text']);
    else if (child['#cdata'] !== undefined) text += literalText(child['#cdata'] as readonly ParsedNode[]);
    else children.push(toElement(child));
  }
  return { name, text, children };
}

function literalText(nodes: readonly ParsedNode[]): string {
  return nodes.map((node) => String(node['#text'] ?? '')).join('');
}

function resolveReferences(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(reference, (whole, name: string) => {
    if (!whole.endsWith(';')) throw new S3Error('MalformedXML');
    const character = entities[name] ?? characterReference(name);
    if (character === undefined) throw new S3Error('MalformedXML');
    return character;
  });
}

/** Also of control characters, which XML 1.1 allows: keys may hold them, and S3 takes them in this form. */
function characterReference(name: string): string | undefined {
  const match = /^#(?:x([0-9A-Fa-f]{1,6})|(\d{1,7}))$/.exec(name);
  if (match === null) return undefined;
  const codePoint = match[1] === undefined ? Number(match[2]) : Number.parseInt(match[1], 16);
  const isSurrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
  return codePoint > 0x10ffff || isSurrogate ? undefined : String.fromCodePoint(codePoint);
}

/**
 * The texts of an element's children, by name: each of them one of `names`, at most once, and without children of its own,
 * as S3's schemas have it. MalformedXML.
 */
export function leafTexts<Name extends string>(
  element: XmlElement,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const texts: Partial<Record<Name, string>> = {};
  for (const child of element.children) {
    const name = names.find((known) => known === child.name);
    if (name === undefined || texts[name] !== undefined || child.children.length > 0) {
      throw new S3Error('MalformedXML');
    }
    texts[name] = child.text;
  }
  return texts;
}
