import { appendFile, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { AuditLog } from '../../src/admin/audit-log.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'forebay-audit-')), 'audit');
});
afterEach(() => rm(join(folder, '..'), { recursive: true }));

const open = (capacityBytes = 1024 * 1024) => AuditLog.open(new NodeFileSystem(), { folder, capacityBytes });

async function linesOf(log: AuditLog): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of log.lines()) lines.push(line);
  return lines;
}

async function bytesThere(): Promise<number> {
  const sizes = (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

test('lines are read the newest first, over restarts, and in the order in which they were given', async () => {
  const first = await open();
  await Promise.all(['a', 'b', 'c'].map((line) => first.append(line)));
  await first.close();
  const second = await open();
  await second.append('d');
  expect(await linesOf(second)).toEqual(['d', 'c', 'b', 'a']);
  await second.close();
});

test('the oldest lines go when the log is full, and no more is ever on disk than it may have', async () => {
  const capacityBytes = 16 * 1024;
  let log = await open(capacityBytes);
  for (let i = 0; i < 400; i++) {
    await log.append(`${i} ${'x'.repeat(90)}`);
    if (i % 50 === 0) {
      await log.close();
      log = await open(capacityBytes);
    }
    expect(await bytesThere()).toBeLessThanOrEqual(capacityBytes);
  }
  const kept = (await linesOf(log)).map((line) => Number(line.split(' ')[0]));
  expect(kept[0]).toBe(399);
  expect(kept).toEqual(kept.map((_, index) => 399 - index));
  expect(kept.length).toBeGreaterThan(100);
  await log.close();
});

test('what a crash tore is no line, and the next one is not added to it', async () => {
  const first = await open();
  await first.append('whole');
  await first.close();
  await appendFile(join(folder, '000000000001.jsonl'), 'torn');
  const second = await open();
  await second.append('after');
  expect(await linesOf(second)).toEqual(['after', 'whole']);
  await second.close();
});

test('a line that cannot be written is told, and the next one is written as soon as it can be', async () => {
  const log = await open();
  await log.append('one');
  await log.close();
  await rm(folder, { recursive: true });
  await writeFile(folder, 'in the way');
  const again = log.append('two');
  await expect(again).rejects.toMatchObject({ name: 'FileSystemError' });
  expect(log.fault).toContain(folder);
  await rm(folder);
  await (await open()).close();
  await log.append('three');
  expect([await linesOf(log), log.fault]).toEqual([['three'], undefined]);
  await log.close();
});

test('other files in the folder are left alone', async () => {
  await (await open()).close();
  await writeFile(join(folder, 'notes.txt'), 'mine\n');
  const log = await open();
  await log.append('one');
  expect(await linesOf(log)).toEqual(['one']);
  expect(await readdir(folder)).toEqual(['000000000001.jsonl', 'notes.txt']);
  await log.close();
});
