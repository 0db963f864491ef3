import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CommandError } from '../../src/cli/errors.ts';
import { findRootCredentials, prepareSecrets } from '../../src/cli/node-secrets.ts';
import { resolveSettings } from '../../src/cli/settings.ts';
import { systemRandom } from '../../src/common/random.ts';

let parent: string;
let data: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'forebay-secrets-'));
  data = join(parent, 'deep', 'data');
});
afterEach(() => rm(parent, { recursive: true }));

const settingsOf = (environment: Record<string, string> = {}) =>
  resolveSettings({ flags: new Map(), environment: { FOREBAY_DATA: data, ...environment } }).settings;
const prepare = (environment?: Record<string, string>) =>
  prepareSecrets(settingsOf(environment), systemRandom);
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no failure',
    (error: unknown) => (error instanceof CommandError ? error.message : `not foreseen: ${error}`),
  );
const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

describe('the root key', () => {
  test('is made at the first run, for its owner alone, and the same at later ones', async () => {
    const first = await prepare();
    expect(first.madeRoot).toBe(true);
    expect(first.secrets.root.secretAccessKey.length).toBeGreaterThanOrEqual(40);
    expect(await modeOf(data)).toBe('700');
    expect(await modeOf(join(data, 'root-credentials'))).toBe('600');
    const second = await prepare();
    expect(second.madeRoot).toBe(false);
    expect(second.secrets).toEqual(first.secrets);
    expect((await readdir(data)).sort()).toEqual(['root-credentials', 'secret.key']);
  });

  test('of two first runs at once is one and the same', async () => {
    const [a, b] = await Promise.all([prepare(), prepare()]);
    expect(a.secrets).toEqual(b.secrets);
    expect([a.madeRoot, b.madeRoot].filter(Boolean)).toHaveLength(1);
  });

  test('from the settings wins, and is never written down', async () => {
    const kept = (await prepare()).secrets.root;
    const environment = {
      FOREBAY_ROOT_ACCESS_KEY_ID: 'GIVEN',
      FOREBAY_ROOT_SECRET_ACCESS_KEY: 'given-secret',
    };
    const given = await prepare(environment);
    expect(given).toMatchObject({
      madeRoot: false,
      secrets: { root: { accessKeyId: 'GIVEN', secretAccessKey: 'given-secret' } },
    });
    for (const name of await readdir(data)) {
      expect(await readFile(join(data, name), 'utf8')).not.toContain('given-secret');
    }
    expect((await prepare()).secrets.root).toEqual(kept);
  });

  test('from the settings on an empty folder leaves no file of credentials', async () => {
    await prepare({ FOREBAY_ROOT_ACCESS_KEY_ID: 'GIVEN', FOREBAY_ROOT_SECRET_ACCESS_KEY: 'given-secret' });
    expect(await readdir(data)).toEqual(['secret.key']);
    expect(await findRootCredentials(settingsOf())).toBeUndefined();
  });

  test('in a file that others can read, or that is no such file, is refused with what to do', async () => {
    await prepare();
    const path = join(data, 'root-credentials');
    await chmod(path, 0o640);
    expect(await failure(prepare())).toBe(`${path} can be read by others: run chmod 600 ${path}`);
    await chmod(path, 0o600);
    await writeFile(path, 'aws_access_key_id = x\n');
    expect(await failure(prepare())).toContain('must hold the lines aws_access_key_id');
  });
});

describe('the encryption key', () => {
  test('is 32 bytes, for its owner alone', async () => {
    expect((await prepare()).secrets.encryptionKey).toHaveLength(32);
    expect(await modeOf(join(data, 'secret.key'))).toBe('600');
  });

  test.each([
    ['base64', `${Buffer.alloc(32, 9).toString('base64')}\n`],
    ['hex', Buffer.alloc(32, 9).toString('hex')],
  ])('may be given in a file as %s', async (_form, text) => {
    const path = join(parent, 'my.key');
    await writeFile(path, text, { mode: 0o600 });
    const { secrets } = await prepare({ FOREBAY_ENCRYPTION_KEY_FILE: path });
    expect(secrets.encryptionKey).toEqual(Buffer.alloc(32, 9));
    expect(await readdir(data)).toEqual(['root-credentials']);
  });

  test.each([
    ['too short', Buffer.alloc(16).toString('base64')],
    ['of two lines', `${Buffer.alloc(32).toString('base64')}\n${Buffer.alloc(32).toString('base64')}`],
    ['empty', ''],
    ['huge', 'A'.repeat(100_000)],
  ])('%s is refused', async (_what, text) => {
    const path = join(parent, 'my.key');
    await writeFile(path, text, { mode: 0o600 });
    expect(await failure(prepare({ FOREBAY_ENCRYPTION_KEY_FILE: path }))).toMatch(
      /must hold one key|no such file/,
    );
  });

  test('that others can read is refused', async () => {
    const path = join(parent, 'my.key');
    await writeFile(path, Buffer.alloc(32).toString('base64'), { mode: 0o644 });
    await chmod(path, 0o644);
    expect(await failure(prepare({ FOREBAY_ENCRYPTION_KEY_FILE: path }))).toContain(`run chmod 600 ${path}`);
  });
});

test('a data folder that cannot be made is named', async () => {
  await writeFile(join(parent, 'deep'), 'a file');
  expect(await failure(prepare())).toMatch(/^cannot make the data folder .*: set another with --data$/);
});

test('a data folder where the system lets none be made is named, and not tried for ever', async () => {
  const attempt = async (path: string) => failure(prepare({ FOREBAY_DATA: path }));
  expect(await attempt('/proc/x/y')).toBe(
    'cannot make the data folder /proc/x/y (ENOENT): set another with --data',
  );
  const long = join(parent, 'n'.repeat(300));
  expect(await attempt(join(long, 'x'))).toContain('(ENAMETOOLONG)');
});

test('a data folder that is a link to a folder is taken', async () => {
  await mkdir(join(parent, 'real'));
  await symlink(join(parent, 'real'), data.slice(0, data.lastIndexOf('/')));
  await prepare();
  expect(await readdir(join(parent, 'real', 'data'))).toContain('secret.key');
});
