/** Bytes of chance that each record of a segment begins with; they are in the file's name too. */
export const markerBytes = 8;

/** `0000000000000001-89abcdef01234567.log` */
export function segmentName(number: number, marker: Buffer): string {
  return `${number.toString(16).padStart(16, '0')}-${marker.toString('hex')}.log`;
}

/** Undefined for any other name. */
export function parseSegmentName(
  name: string,
): { readonly number: number; readonly marker: Buffer } | undefined {
  const match = /^([0-9a-f]{16})-([0-9a-f]{16})\.log$/.exec(name);
  if (!match) return undefined;
  return { number: Number.parseInt(match[1] as string, 16), marker: Buffer.from(match[2] as string, 'hex') };
}
