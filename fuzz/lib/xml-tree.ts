import { XMLParser } from 'fast-xml-parser';

/** An answer's XML: text, or children in their order, of which several may have one name. */
export type XmlTree = string | readonly (readonly [name: string, value: XmlTree])[];

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: true,
  parseTagValue: false,
  trimValues: false,
  ignoreDeclaration: true,
  removeNSPrefix: true,
  processEntities: true,
  htmlEntities: true,
});

type Node = Readonly<Record<string, unknown>>;

/** Undefined for what is no XML. The root is the one child of the result. */
export function readXml(text: string): XmlTree | undefined {
  if (!text.trimStart().startsWith('<')) return undefined;
  try {
    return childrenOf(parser.parse(text) as readonly Node[]);
  } catch {
    return undefined;
  }
}

function childrenOf(nodes: readonly Node[]): XmlTree {
  const elements = nodes.flatMap((node) => {
    const name = Object.keys(node).find((key) => !key.startsWith('#') && key !== ':@');
    return name === undefined ? [] : [[name, childrenOf(node[name] as readonly Node[])] as const];
  });
  if (elements.length > 0) return elements;
  return nodes.map((node) => String(node['#text'] ?? '')).join('');
}

/** The first element on a way of names, or undefined. */
export function at(tree: XmlTree | undefined, ...names: readonly string[]): XmlTree | undefined {
  let found = tree;
  for (const name of names) {
    if (found === undefined || typeof found === 'string') return undefined;
    found = found.find(([other]) => other === name)?.[1];
  }
  return found;
}

/** As `at`, where it is text. */
export function textAt(tree: XmlTree | undefined, ...names: readonly string[]): string | undefined {
  const found = at(tree, ...names);
  return typeof found === 'string' ? found : undefined;
}

/** All children of one name. */
export function allAt(tree: XmlTree | undefined, name: string): readonly XmlTree[] {
  if (tree === undefined || typeof tree === 'string') return [];
  return tree.filter(([other]) => other === name).map(([, value]) => value);
}
