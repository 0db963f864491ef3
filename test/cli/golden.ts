import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from '@jest/globals';

const folder = join(import.meta.dirname, 'golden');

/** Compares what a command prints with `golden/NAME.txt`. With GOLDEN=write in the environment the file is written instead: look at it then. */
export async function expectGolden(name: string, text: string): Promise<void> {
  const path = join(folder, `${name}.txt`);
  if (process.env.GOLDEN === 'write') {
    await mkdir(folder, { recursive: true });
    await writeFile(path, `${text}\n`);
  }
  expect(`${text}\n`).toBe(await readFile(path, 'utf8'));
}

/** What differs from one run to the next is put in the place of what it is. Longer names come first. */
export function settled(text: string, names: Readonly<Record<string, string>> = {}): string {
  let settledText = text;
  for (const [what, name] of Object.entries(names)) settledText = settledText.replaceAll(what, name);
  return settledText
    .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')
    .replaceAll(/127\.0\.0\.1:\d+/g, 'ADDRESS');
}
