import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { commandTable } from '../../src/cli/command-table.ts';
import { run } from '../../src/cli/run.ts';
import { runCli } from './command-line.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'forebay-cli-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs a command line in this process. */
async function cli(line: string | readonly string[], environment: Record<string, string> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const words = typeof line === 'string' ? line.split(' ').filter((word) => word !== '') : line;
  const exitCode = await run(words, {
    environment: { FOREBAY_DATA: folder, ...environment },
    print: (text) => out.push(text),
    printError: (text) => err.push(text),
  });
  return { exitCode, out: out.join('\n'), err: err.join('\n') };
}

describe('a command that is written wrongly ends with 2 and says how to write it', () => {
  test.each([
    ['', 'forebay: which command?\nSee: forebay --help'],
    ['sevre', 'forebay: unknown command sevre (did you mean serve?)\nSee: forebay --help'],
    ['xyzzy', 'forebay: unknown command xyzzy\nSee: forebay --help'],
    [
      'mount',
      'forebay: forebay mount needs one of: add, list, show, remove, set-write-mode, check\nSee: forebay --help',
    ],
    ['user list extra', 'forebay: unexpected "extra": forebay user list\nSee: forebay user list --help'],
    ['user show', 'forebay: NAME is missing: forebay user show NAME\nSee: forebay user show --help'],
    [
      'user create ada',
      'forebay: --policy admin|readwrite|readonly is missing: What the user may do\nSee: forebay user create --help',
    ],
    [
      'user create ada --policy admn',
      'forebay: --policy must be one of admin, readwrite, readonly, not "admn" (did you mean admin?)\nSee: forebay user create --help',
    ],
    ['user create ada --policy', 'forebay: --policy needs a value\nSee: forebay user create --help'],
    ['user create ada --policy --json', '{"error":"--policy needs a value"}'],
    [
      'user list --jason',
      'forebay: unknown flag --jason (did you mean --json?)\nSee: forebay user list --help',
    ],
    ['user list --json=yes', 'forebay: --json takes no value\nSee: forebay user list --help'],
    [
      'mount add b file:///x --read-only=maybe',
      'forebay: --read-only takes no value\nSee: forebay mount add --help',
    ],
    [
      'mount add b',
      'forebay: URI is missing: forebay mount add BUCKET[/PREFIX] URI\nSee: forebay mount add --help',
    ],
    [
      'mount add b s3://x --secret-access-key s',
      'forebay: unknown flag --secret-access-key (did you mean --secret-access-key-env?)\nSee: forebay mount add --help',
    ],
    [
      'mount add b s3://x --secret-access-key-file a --secret-access-key-env B',
      'forebay: --secret-access-key-file and --secret-access-key-env exclude each other\nSee: forebay mount add --help',
    ],
    ['serve --s3-port 1 --s3-port 2', 'forebay: --s3-port is given twice\nSee: forebay serve --help'],
    [
      'serve --s3-port=x',
      'forebay: --s3-port must be a whole number from 0 to 65535, not "x"\nSee: forebay serve --help',
    ],
    [
      'config show --config absent.toml',
      'forebay: cannot read the settings file absent.toml (ENOENT)\nSee: forebay config show --help',
    ],
  ])('forebay %s', async (line, message) => {
    const result = await cli(line);
    expect(result).toEqual({
      exitCode: 2,
      out: '',
      err: message,
    });
  });

  test('an unknown variable, in every command', async () => {
    for (const line of ['config show', 'user list', 'serve']) {
      const result = await cli(line, { FOREBAY_S3PORT: '1' });
      expect(result.exitCode).toBe(2);
      expect(result.err).toContain(
        'unknown environment variable FOREBAY_S3PORT (did you mean FOREBAY_S3_PORT?)',
      );
    }
  });
});

describe('a command that cannot be done ends with 1 and says what to do', () => {
  test.each([
    ['user list', {}, 'no credentials: there is no '],
    [
      'user list',
      { FOREBAY_ADMIN_URL: 'localhost:9001' },
      'FOREBAY_ADMIN_URL must be like http://127.0.0.1:9001, not "localhost:9001"',
    ],
    [
      'user list',
      { FOREBAY_ADMIN_URL: 'http://127.0.0.1:1', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' },
      'cannot reach the admin port http://127.0.0.1:1 (ECONNREFUSED): is the node running? Start it with forebay serve, or set FOREBAY_ADMIN_URL to where it is',
    ],
    ['mount add b s3://x --secret-access-key-file absent', {}, 'cannot read the secret file absent (ENOENT)'],
    ['mount add b s3://x --secret-access-key-env ABSENT', {}, 'the variable ABSENT is not set, or empty'],
    ['serve', { FOREBAY_ETCD_ENDPOINTS: 'http://127.0.0.1:2379' }, 'need one encryption key'],
    [
      'serve',
      { FOREBAY_ETCD_ENDPOINTS: '127.0.0.1', FOREBAY_ENCRYPTION_KEY_FILE: '/absent/key' },
      "the root mount lies in this node's own data folder",
    ],
    [
      'serve',
      { FOREBAY_ENCRYPTION_KEY_FILE: '/absent/key' },
      'the encryption key file /absent/key does not exist',
    ],
  ])('forebay %s with %j', async (line, environment, message) => {
    const result = await cli(line, environment as Record<string, string>);
    expect(result.err).toContain(message);
    expect([result.exitCode, result.out]).toEqual([1, '']);
  });

  test('with --json the message is JSON', async () => {
    const result = await cli('user list --json');
    expect(JSON.parse(result.err)).toEqual({ error: expect.stringContaining('no credentials') });
  });
});

describe('help', () => {
  test('is there for the whole and for each command, and ends with 0', async () => {
    const whole = await cli('--help');
    expect(whole.exitCode).toBe(0);
    for (const command of commandTable) {
      expect(whole.out).toContain(`forebay ${command.words.join(' ')}`);
      const one = await cli([...command.words, '--help']);
      expect([one.exitCode, one.err]).toEqual([0, '']);
      for (const option of command.options) expect(one.out).toContain(option.flag);
    }
  });

  test('of serve lists every setting', async () => {
    const { out } = await cli('serve --help');
    expect(out).toContain('--s3-port PORT');
    expect(out).toContain('--page-size SIZE');
    expect(out).toContain('(default: 4MiB)');
  });
});

describe('config show', () => {
  test('gives every value with where it comes from, and no secret', async () => {
    await writeFile(join(folder, 'my.toml'), '[log]\nlevel = "warn"\n');
    const secret = 'very-very-secret';
    const environment = {
      FOREBAY_CONFIG: join(folder, 'my.toml'),
      FOREBAY_ROOT_ACCESS_KEY_ID: 'ROOT',
      FOREBAY_ROOT_SECRET_ACCESS_KEY: secret,
    };
    const text = await cli('config show --s3-port 9100', environment);
    expect(text.exitCode).toBe(0);
    expect(text.out).toMatch(/^s3\.port = 9100 +--s3-port$/m);
    expect(text.out).toMatch(/^log\.level = warn +.*my\.toml$/m);
    expect(text.out).toMatch(/^root\.secretAccessKey = \*\*\* +FOREBAY_ROOT_SECRET_ACCESS_KEY$/m);
    const json = await cli('config show --json --metrics-public', environment);
    expect(JSON.parse(json.out)).toMatchObject({
      'metrics.public': { value: true, source: '--metrics-public' },
      'root.secretAccessKey': { value: '***' },
      host: { value: '127.0.0.1', source: 'default' },
      rootMount: { value: null, source: 'default' },
    });
    expect(text.out + json.out).not.toContain(secret);
  });
});

test('the real command gives exit codes and keeps stdout for answers', async () => {
  const wrong = await runCli(['user', 'shwo'], {}, folder);
  expect([wrong.exitCode, wrong.stdout]).toEqual([2, '']);
  expect(wrong.stderr).not.toContain('    at ');
  const failed = await runCli(['user', 'list'], {}, folder);
  expect([failed.exitCode, failed.stdout]).toEqual([1, '']);
  expect(failed.stderr).not.toContain('    at ');
  const fine = await runCli(['version', '--json'], {}, folder);
  expect([fine.exitCode, fine.stderr]).toEqual([0, '']);
  expect(JSON.parse(fine.stdout).forebay).toMatch(/^\d+\.\d+\.\d+/);
});
