import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, jest, test } from '@jest/globals';
import { createLog } from '../../src/common/log.ts';
import { LogWriter } from '../../src/common/log-writer.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A process that logs 5 MB, then answers on stdout and ends itself. */
function logger(stderr: 'pipe' | number): ChildProcess {
  const source = join(import.meta.dirname, '../../src/common');
  const program = `
    import { createLog } from '${source}/log.ts';
    import { LogWriter } from '${source}/log-writer.ts';
    const writer = new LogWriter(process.stderr);
    const log = createLog('info', writer);
    for (let i = 0; i < 50; i++) {
      for (let line = 0; line < 100; line++) log.info({ filler: 'x'.repeat(1000) });
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await writer.flush(200);
    console.log(writer.droppedLines);
    process.exit(0);`;
  const child = spawn(process.execPath, ['--no-warnings', '--input-type=module-typescript', '-e', program], {
    stdio: ['ignore', 'pipe', stderr],
    env: { PATH: process.env.PATH },
  });
  children.push(child);
  return child;
}

async function droppedBy(child: ChildProcess): Promise<number> {
  const [text] = await Promise.race([
    once(child.stdout as NodeJS.ReadableStream, 'data'),
    sleep(10_000, ['it hangs'], { ref: false }),
  ]);
  if (child.exitCode === null) await once(child, 'exit');
  expect(child.exitCode).toBe(0);
  return Number(text);
}

test('a reader that has stopped reading costs lines, and neither the process nor its end', async () => {
  const dropped = await droppedBy(logger('pipe'));
  expect(dropped).toBeGreaterThan(3000);
  expect(dropped).toBeLessThan(5000);
});

test('a disk that is full costs lines, and nothing else', async () => {
  const { open } = await import('node:fs/promises');
  const full = await open('/dev/full', 'w');
  try {
    expect(await droppedBy(logger(full.fd))).toBe(5000);
  } finally {
    await full.close();
  }
});

test('lines go out in order, gathered, and are all out after a flush', async () => {
  const stream = new PassThrough({ highWaterMark: 1024 * 1024 });
  const write = jest.spyOn(stream, 'write');
  const writer = new LogWriter(stream);
  const log = createLog('info', writer);
  for (let i = 0; i < 200; i++) log.info({ i });
  log.debug('not at this level');
  await writer.flush(1000);
  const text: string[] = [];
  for (let part = stream.read(); part !== null; part = stream.read()) text.push(String(part));
  const lines = text.join('').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line).i)).toEqual([...Array(200).keys()]);
  expect(write.mock.calls.length).toBeLessThan(10);
  expect(writer.droppedLines).toBe(0);
});
