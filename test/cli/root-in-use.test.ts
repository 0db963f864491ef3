import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from '@jest/globals';
import { runCli, startCli } from './command-line.ts';

test('a second node on the root mount of one that runs ends with 1 and names the root, whatever its data folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'forebay-two-'));
  const root = join(folder, 'root');
  const environment = (name: string) => ({
    FOREBAY_DATA: join(folder, name),
    FOREBAY_ROOT_MOUNT: pathToFileURL(root).href,
    FOREBAY_S3_PORT: '0',
    FOREBAY_ADMIN_PORT: '0',
  });
  const first = startCli(['serve', '--json'], environment('first'), folder);
  try {
    await once(first.stdout, 'data');
    const second = await runCli(['serve'], environment('second'), folder);
    expect(second.exitCode).toBe(1);
    expect(second.stderr).toContain(
      `forebay: the root mount ${root} is in use by another node: stop that one, or set another with --root-mount`,
    );
  } finally {
    first.kill('SIGKILL');
    await once(first, 'exit');
    await rm(folder, { recursive: true });
  }
});
