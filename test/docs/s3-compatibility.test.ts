import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { compatibilityDocument } from '../../scripts/s3-compatibility-document.ts';
import { whyNot } from '../../scripts/s3-compatibility-words.ts';
import { refusedOperations } from '../../src/s3api/refused-operations.ts';
import { routes } from '../../src/s3api/router.ts';

describe('docs/s3-compatibility.md', () => {
  test('is what `npm run compatibility` writes', async () => {
    const path = join(import.meta.dirname, '../../docs/s3-compatibility.md');
    expect(await readFile(path, 'utf8')).toBe(await compatibilityDocument());
  });

  test('has a row for each operation of S3, and each operation once', async () => {
    const text = await compatibilityDocument();
    const named = [...text.matchAll(/^\| ([A-Z]\w+) +\|/gm)].map(([, name]) => name);
    expect(named.toSorted()).toEqual(routes.map(({ operation }) => operation).toSorted());
    expect(new Set(named).size).toBe(named.length);
  });

  test('gives a reason for each operation that is not offered', () => {
    const unexplained = refusedOperations.filter((route) => whyNot(route) === 'not offered');
    expect(unexplained.map(({ operation }) => operation)).toEqual([]);
  });
});
