import { isIP } from 'node:net';
import { formatDurationMs, formatSizeBytes, parseDurationMs, parseSizeBytes } from '../common/units.ts';

/** A value as flags and the environment (text) or a TOML file (also numbers, booleans and arrays) give it. */
export type RawValue = string | number | bigint | boolean | readonly unknown[];

/** How the values of a setting are read, checked and shown. */
export interface Kind<T> {
  /** What may be written, for help texts: `PORT`, `SIZE`. */
  readonly placeholder: string;
  /** Throws a `BadValue` that says what to write instead. */
  parse(raw: RawValue): T;
  show(value: T): string | number | boolean;
}

/** `message` completes "… must be". */
export class BadValue extends Error {
  override name = 'BadValue';
}

export function textKind(
  placeholder: string,
  isGood: (text: string) => boolean,
  mustBe: string,
): Kind<string> {
  return {
    placeholder,
    parse: (raw) => {
      if (typeof raw === 'string' && isGood(raw)) return raw;
      throw new BadValue(mustBe);
    },
    show: (value) => value,
  };
}

/** An empty path would mean the present folder by accident. */
export const pathKind = textKind(
  'PATH',
  (text) => text !== '' && !text.includes('\0'),
  'the path of a file or folder',
);

export const hostKind = textKind(
  'HOST',
  (text) => isIP(text) !== 0 || isHostName(text),
  'an IP address or a host name, such as 127.0.0.1 or 0.0.0.0',
);

export function integerKind(placeholder: string, least: number, most: number): Kind<number> {
  return {
    placeholder,
    parse: (raw) => {
      const value = typeof raw === 'string' && /^\d{1,15}$/.test(raw) ? Number(raw) : raw;
      if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most)
        return value;
      throw new BadValue(`a whole number from ${least} to ${most}`);
    },
    show: (value) => value,
  };
}

/** Port 0 takes any free one, which is then printed. */
export const portKind = integerKind('PORT', 0, 65535);

export const booleanKind: Kind<boolean> = {
  placeholder: 'true|false',
  parse: (raw) => {
    if (raw === true || raw === 'true' || raw === '1') return true;
    if (raw === false || raw === 'false' || raw === '0') return false;
    throw new BadValue('true or false');
  },
  show: (value) => value,
};

export function choiceKind<const T extends string>(choices: readonly T[]): Kind<T> {
  return {
    placeholder: choices.join('|'),
    parse: (raw) => {
      const found = choices.find((choice) => choice === raw);
      if (found !== undefined) return found;
      throw new BadValue(`one of ${choices.join(', ')}`);
    },
    show: (value) => value,
  };
}

/** Bytes, written `4MiB`, `1.5GiB` or as a plain number of bytes. */
export function sizeKind(least: number, most: number, multipleOf = 1): Kind<number> {
  return {
    placeholder: 'SIZE',
    parse: (raw) => {
      const value = typeof raw === 'string' ? parseSizeBytes(raw) : raw;
      const fits =
        typeof value === 'number' &&
        Number.isSafeInteger(value) &&
        value >= least &&
        value <= most &&
        value % multipleOf === 0;
      if (fits) return value;
      const step = multipleOf > 1 ? `, a multiple of ${formatSizeBytes(multipleOf)}` : '';
      throw new BadValue(
        `a size such as 4MiB, from ${formatSizeBytes(least)} to ${formatSizeBytes(most)}${step}`,
      );
    },
    show: formatSizeBytes,
  };
}

/** Milliseconds, written `250ms`, `30s` or `2m`. */
export function durationKind(leastMs: number, mostMs: number): Kind<number> {
  return {
    placeholder: 'DURATION',
    parse: (raw) => {
      const value = typeof raw === 'string' ? parseDurationMs(raw) : undefined;
      if (value !== undefined && value >= leastMs && value <= mostMs) return value;
      throw new BadValue(
        `a duration such as 30s, from ${formatDurationMs(leastMs)} to ${formatDurationMs(mostMs)}`,
      );
    },
    show: formatDurationMs,
  };
}

/** Texts parted by commas, or a TOML array of them. */
export function listKind(
  placeholder: string,
  isItem: (item: string) => boolean,
  mustBe: string,
): Kind<readonly string[]> {
  return {
    placeholder,
    parse: (raw) => {
      const items = typeof raw === 'string' ? raw.split(',').map((item) => item.trim()) : raw;
      if (Array.isArray(items) && items.every((item) => typeof item === 'string' && isItem(item))) {
        return Object.freeze(items.map((item: string) => item.toLowerCase()));
      }
      throw new BadValue(mustBe);
    },
    show: (value) => value.join(','),
  };
}

/** A folder and how much may be kept in it, in bytes. */
export interface SizedFolder {
  readonly path: string;
  readonly sizeBytes: number;
}

/** Folders with a size each, `/disk1/pages=500GiB`, parted by commas, or a TOML array of them. No folder is named twice. */
export function foldersKind(least: number, most: number): Kind<readonly SizedFolder[]> {
  const mustBe = `folders with a size each, parted by commas, such as /disk1/pages=500GiB,/disk2/pages=1TiB, from ${formatSizeBytes(least)} to ${formatSizeBytes(most)}`;
  return {
    placeholder: 'PATH=SIZE,…',
    parse: (raw) => {
      const items = typeof raw === 'string' ? raw.split(',') : raw;
      const folders = Array.isArray(items) ? items.map(sizedFolder) : [undefined];
      const fit = folders.filter((folder) => folder && folder.sizeBytes >= least && folder.sizeBytes <= most);
      const paths = new Set(fit.map((folder) => folder?.path));
      if (folders.length === 0 || folders.length > 64 || paths.size < folders.length) {
        throw new BadValue(mustBe);
      }
      return Object.freeze(fit as SizedFolder[]);
    },
    show: (folders) =>
      folders.map(({ path, sizeBytes }) => `${path}=${formatSizeBytes(sizeBytes)}`).join(','),
  };
}

function sizedFolder(item: unknown): SizedFolder | undefined {
  const [, path = '', size = ''] = typeof item === 'string' ? (/^\s*(.+)=([^=]+)$/.exec(item) ?? []) : [];
  const sizeBytes = parseSizeBytes(size.trim());
  return path === '' || path.includes('\0') || sizeBytes === undefined
    ? undefined
    : Object.freeze({ path: path.replace(/(?<=.)\/+$/, ''), sizeBytes });
}

/** RFC 1123, 2.1: letters, digits and hyphens in labels of at most 63. */
export function isHostName(text: string): boolean {
  return (
    text.length <= 253 &&
    text.split('.').every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(label))
  );
}
