import { join } from 'node:path';

/** What is called how in a directory of pages. */
export function regionsFolder(directory: string): string {
  return join(directory, 'regions');
}

export function regionPath(directory: string, region: number): string {
  return join(regionsFolder(directory), `${hex(region)}.region`);
}

export function indexPath(directory: string, region: number): string {
  return join(regionsFolder(directory), `${hex(region)}.index`);
}

/** The region that a name in the folder of regions belongs to, and what of it the file is. */
export function parseRegionName(name: string): { region: number; kind: 'region' | 'index' } | undefined {
  const match = /^([0-9a-f]{8})\.(region|index)$/.exec(name);
  if (!match || match[1] === '00000000') return undefined;
  return { region: Number.parseInt(match[1] as string, 16), kind: match[2] as 'region' | 'index' };
}

export function lockPath(directory: string): string {
  return join(directory, 'lock');
}

/** The marker is in the name, so that a damaged beginning does not hide the rest. */
export function removalLogName(number: number, marker: Buffer): string {
  return `removals-${hex(number)}-${marker.toString('hex')}`;
}

export function parseRemovalLogName(name: string): { number: number; marker: Buffer } | undefined {
  const match = /^removals-([0-9a-f]{8})-([0-9a-f]{16})$/.exec(name);
  if (!match) return undefined;
  return { number: Number.parseInt(match[1] as string, 16), marker: Buffer.from(match[2] as string, 'hex') };
}

function hex(number: number): string {
  return number.toString(16).padStart(8, '0');
}
