const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};
const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86400e3 };

/** Bytes of a text such as `4MiB`, `1.5 GiB` or `65536`; undefined if it is no size. */
export function parseSizeBytes(text: string): number | undefined {
  return parseQuantity(text, sizeUnits);
}

/** Milliseconds of a text such as `250ms`, `30s` or `1h`; a number needs its unit. Undefined if it is no duration. */
export function parseDurationMs(text: string): number | undefined {
  return /[a-z]$/.test(text) ? parseQuantity(text, durationUnits) : undefined;
}

/** The shortest exact form: `4MiB`, `1500ms`. */
export function formatSizeBytes(bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const size = sizeUnits[unit] as number;
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}B`;
}

export function formatDurationMs(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    const size = durationUnits[unit] as number;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s?([A-Za-z]*)$/.exec(text);
  if (!match) return undefined;
  const unit = match[2] === '' ? 1 : units[match[2] as string];
  if (unit === undefined) return undefined;
  const value = Number(match[1]) * unit;
  return Number.isSafeInteger(value) ? value : undefined;
}
