/** Strings, and the signs that say what they are. */
const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/gs;

/**
 * As `JSON.parse`, but of an object that has a key twice it throws too: one of the two would be lost, and nobody could say which was meant.
 */
export function parseStrictJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  const open: (Set<string> | undefined)[] = [];
  let last = '';
  for (const [token] of text.matchAll(tokens)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (token === ':') addKey(open.at(-1), JSON.parse(last) as string);
    last = token;
  }
  return value;
}

function addKey(keys: Set<string> | undefined, key: string): void {
  if (keys?.has(key)) throw new SyntaxError(`the key ${JSON.stringify(key)} is there twice`);
  keys?.add(key);
}
