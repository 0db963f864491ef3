import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startNode } from '../../src/cli/node.ts';
import { prepareSecrets } from '../../src/cli/node-secrets.ts';
import { run } from '../../src/cli/run.ts';
import type { RootCredentials, RunningNode } from '../../src/cli/running-node.ts';
import { resolveSettings } from '../../src/cli/settings.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import { linesToThreads } from '../gateway/thread-lines.ts';
import { expectGolden, settled } from './golden.ts';

let folder: string;
let node: RunningNode;
let root: RootCredentials;
let environment: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'forebay-policies-'));
  for (const name of ['lake/tables', 'always']) await mkdir(join(folder, name), { recursive: true });
  for (const name of ['a.parquet', 'b.tmp'])
    await writeFile(join(folder, 'lake/tables', name), 'x'.repeat(5000));
  environment = {
    FOREBAY_DATA: join(folder, 'data'),
    FOREBAY_S3_PORT: '0',
    FOREBAY_ADMIN_PORT: '0',
    FOREBAY_IO_THREADS: '2',
    FOREBAY_CACHE_DISK: '64MiB',
    FOREBAY_CACHE_MIN_FREE: '0',
  };
  const { settings } = resolveSettings({ flags: new Map(), environment });
  const { secrets } = await prepareSecrets(settings, systemRandom);
  root = secrets.root;
  const quiet = { log: silentLog(), lines: { write: () => {} }, droppedLines: () => 0 };
  node = await startNode(settings, secrets, quiet);
}, 60_000);
afterAll(async () => {
  await node.close();
  await rm(folder, { recursive: true });
});

/** What the commands print, each with its exit code. */
async function transcript(lines: readonly string[], changes: Record<string, string> = {}): Promise<string> {
  const said: string[] = [];
  for (const line of lines) {
    said.push(`$ forebay ${line}`);
    const exitCode = await run(line.split(' '), {
      environment: { ...environment, FOREBAY_ADMIN_URL: node.adminUrl, ...changes },
      print: (text) => said.push(text),
      printError: (text) => said.push(text),
    });
    said.push(`(${exitCode})`, '');
  }
  return settled(said.join('\n').trimEnd(), { [folder]: 'FOLDER' });
}

describe('what is printed', () => {
  test('where all goes well', async () => {
    const text = await transcript([
      `mount add lake file://${join(folder, 'lake')} --freshness lease:60s`,
      `mount add always file://${join(folder, 'always')}`,
      'policy list',
      'policy set s3://lake --ttl 7d --exclude *.tmp,_temporary/*',
      'policy set s3://lake/tables/ --pin yes --quota 10MiB --freshness immutable',
      'policy set lake/tables --priority high --ttl none',
      'policy set s3://lake/tables --min-size 1KiB --max-size 1GiB --include *.parquet --cache second-read',
      'policy list',
      'policy list --json',
      'policy explain s3://lake/tables/a.parquet',
      'policy explain s3://lake/tables/b.tmp',
      'policy explain s3://always/k',
      'du --cached s3://lake',
      'du --cached s3://lake/tables --json',
      'policy remove s3://lake/tables',
      'policy remove lake --json',
    ]);
    await expectGolden('policies-well', text);
  }, 60_000);

  test('where something is wrong', async () => {
    const text = await transcript([
      'policy set s3://lake',
      'policy set',
      'policy set s3://lake --ttl 5',
      'policy set s3://lake --pin maybe',
      'policy set s3://lake --cache sometimes',
      'policy set s3://lake --quota lots',
      'policy set s3://lake --min-size 2MiB --max-size 1MiB',
      'policy set s3://UPPER --ttl 1h',
      'policy set s3://nowhere --ttl 1h',
      'policy set s3://lake --quota 1TiB',
      'policy set s3://lake --pin yes --quota 40MiB',
      'policy set s3://always --freshness lease:1h',
      'policy remove s3://lake/none',
      'policy explain s3://lake',
      'policy explain s3://nowhere/k',
      'du s3://lake',
      'du --cached s3://nowhere',
      'policy set s3://nowhere --ttl 1h --json',
    ]);
    await expectGolden('policies-wrong', text);
  }, 60_000);

  test('where settings are changed while the node runs, and where they cannot be', async () => {
    const text = await transcript([
      'config list',
      'config set cache.readAhead 16',
      'config set log.level warn --json',
      'config list --json',
      'config unset cache.readAhead',
      'config unset log.level',
      'config set s3.port 9100',
      'config set cache.readAhed 1',
      'config set cache.readAhead many',
      'config set freshness.lease 0s',
      'config set cache.readAhead',
      'config unset cache.readAhead',
      'config unset s3.port',
    ]);
    await expectGolden('config', text);
  }, 60_000);

  test('to those who have no rights, and where no node answers', async () => {
    await transcript([
      'user create reader --access-key-id READERKEY --secret-access-key reader-secret --policy readonly',
    ]);
    const reader = { AWS_ACCESS_KEY_ID: 'READERKEY', AWS_SECRET_ACCESS_KEY: 'reader-secret' };
    const commands = ['policy set s3://lake --ttl 1h', 'policy list', 'du --cached s3://lake'];
    const refused = await transcript(commands, reader);
    const away = await transcript(commands, { FOREBAY_ADMIN_URL: 'http://127.0.0.1:9' });
    await expectGolden('policies-refused', `${refused}\n\n${away}`);
  }, 60_000);
});

test('a policy holds for every thread when the command that sets it ends', async () => {
  const port = Number(new URL(node.s3Url).port);
  const path = '/lake/tables/a.parquet';
  const lines = await linesToThreads(port, 2, path, root);
  const caches = async () => {
    const seen: (string | undefined)[] = [];
    for (const line of lines.values())
      seen.push((await line.send('GET', path)).headers['x-forebay-cache'] as string);
    return seen;
  };
  await caches();
  expect(await caches()).toEqual(['hit', 'hit']);
  await transcript(['policy set s3://lake/tables --cache never']);
  expect(await caches()).toEqual(['bypass', 'bypass']);
  await transcript(['policy remove s3://lake/tables']);
  await caches();
  expect(await caches()).toEqual(['hit', 'hit']);
}, 60_000);
