import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { dynamicKeys } from '../../src/cli/dynamic-settings.ts';

test('docs/settings.md names the settings that can be changed while nodes run, and no other', async () => {
  const text = await readFile(join(import.meta.dirname, '../../docs/settings.md'), 'utf8');
  const named = [...text.matchAll(/^\| `([\w.]+)` +\|/gm)].map(([, key]) => key);
  expect(named).toEqual([...dynamicKeys].sort());
});
