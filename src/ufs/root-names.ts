/**
 * How the root layout names what it stores. A key's segments become nested directories and the last one a record file, each name
 * with a suffix that no encoded text can end with, so that `a` and `a/b` lie side by side:
 *
 *     a/b  →  a% / b%k           (`%` a folder, `%k` the record of a key, `%h` the directory of its older versions)
 *     x//y →  x% / % / y%k       (an empty segment has an empty name)
 *
 * Within names only `%`, NUL and the control characters are escaped, as `%` and one character; `/` never occurs in a segment, and
 * `.` and `..` never stand alone because of the suffix. A segment whose encoding reaches `chunkLimitBytes` always goes through a
 * continuation directory (`%w`) that holds its beginning, and is continued inside, possibly with nothing. Beginnings cut in this way
 * are never a prefix of each other, so the order of a directory's entries is the order of the keys below them.
 */

/** With the longest suffix (`%v.` and a UUID) and a last character of four bytes, a name stays below 255 bytes. */
const chunkLimitBytes = 210;

export interface KeyPlace {
  /** Names of the directories, from the root down. */
  readonly directories: readonly string[];
  /** The encoded last segment, without a suffix. */
  readonly name: string;
}

export type StoredName =
  /** `text` is what the entry adds to the key; a folder's ends with `/`, a continuation's does not. */
  | { readonly kind: 'record' | 'history' | 'folder' | 'continuation'; readonly text: string }
  /** A large body beside its record, whose name without suffix is `name`. */
  | { readonly kind: 'body'; readonly name: string; readonly id: string };

export function placeOf(key: string): KeyPlace {
  const directories: string[] = [];
  const segments = key.split('/');
  const last = segments.pop() as string;
  for (const segment of segments) directories.push(`${encodeInto(directories, segment)}%`);
  return { name: encodeInto(directories, last), directories };
}

export const recordName = (name: string) => `${name}%k`;
/** The directory of a key's older versions. */
export const historyName = (name: string) => `${name}%h`;
export const bodyName = (name: string, id: string) => `${name}%v.${id}`;

const pattern = /^((?:[^%]|%[@-_?p])*)%(?:([khw]|)|v\.([0-9a-f-]{36}))$/su;

/** Undefined for a name that this layout did not make. */
export function parseName(name: string): StoredName | undefined {
  const match = pattern.exec(name);
  if (!match) return undefined;
  const [, encoded = '', kind, id] = match;
  if (id !== undefined) return { kind: 'body', name: encoded, id };
  const text = decode(encoded);
  if (kind === 'k') return { kind: 'record', text };
  if (kind === 'h') return { kind: 'history', text };
  return kind === 'w' ? { kind: 'continuation', text } : { kind: 'folder', text: `${text}/` };
}

/** Encodes a segment, appends the continuation directories that it needs, and gives the rest. */
function encodeInto(directories: string[], segment: string): string {
  // Most segments are short and plain, and are their own encoding.
  if (segment.length < chunkLimitBytes / 3 && !needsEscape.test(segment)) return segment;
  let name = '';
  let sizeBytes = 0;
  for (const character of segment) {
    const encoded = encodeCharacter(character);
    name += encoded;
    sizeBytes += Buffer.byteLength(encoded);
    if (sizeBytes < chunkLimitBytes) continue;
    directories.push(`${name}%w`);
    name = '';
    sizeBytes = 0;
  }
  return name;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped.
const needsEscape = /[%\x00-\x1f\x7f]/;

function encodeCharacter(character: string): string {
  if (!needsEscape.test(character)) return character;
  if (character === '%') return '%p';
  if (character === '\x7f') return '%?';
  return `%${String.fromCharCode(character.charCodeAt(0) + 0x40)}`;
}

function decode(encoded: string): string {
  return encoded.replace(/%(.)/g, (_, letter: string) => {
    if (letter === 'p') return '%';
    if (letter === '?') return '\x7f';
    return String.fromCharCode(letter.charCodeAt(0) - 0x40);
  });
}
