import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { plantedDefects } from '../../scripts/planted-defects.ts';

const root = join(import.meta.dirname, '../..');

test('the place of each planted defect is there, once, and each has a name of its own', async () => {
  const lost: string[] = [];
  for (const { name, file, right, wrong } of plantedDefects) {
    const text = await readFile(join(root, file), 'utf8');
    if (text.split(right).length !== 2 || right === wrong) lost.push(name);
  }
  expect(lost).toEqual([]);
  expect(new Set(plantedDefects.map(({ name }) => name)).size).toBe(plantedDefects.length);
});
