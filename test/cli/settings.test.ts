import { describe, expect, test } from '@jest/globals';
import { UsageError } from '../../src/cli/errors.ts';
import { describeSettings, resolveSettings, type SettingsInput } from '../../src/cli/settings.ts';
import { flagOf, settingKeys, settingsTable, variableOf } from '../../src/cli/settings-table.ts';

function load(input: {
  flags?: Record<string, string>;
  environment?: Record<string, string>;
  toml?: string;
}) {
  const full: SettingsInput = {
    flags: new Map(Object.entries(input.flags ?? {})),
    environment: input.environment ?? {},
    ...(input.toml === undefined ? {} : { file: { path: 'forebay.toml', text: input.toml } }),
  };
  return resolveSettings(full);
}

const fault = (input: Parameters<typeof load>[0]): string => {
  try {
    load(input);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return 'no fault';
};

describe('the names that tools outside rely on', () => {
  test.each([
    ['FOREBAY_HOST', 'host', '127.0.0.1'],
    ['FOREBAY_DATA', 'data', './data'],
    ['FOREBAY_S3_PORT', 's3.port', 9000],
    ['FOREBAY_ADMIN_PORT', 'admin.port', 9001],
    ['FOREBAY_PEER_PORT', 'peer.port', 9002],
    ['FOREBAY_REGION', 'region', 'us-east-1'],
    ['FOREBAY_DOMAINS', 'domains', []],
    ['FOREBAY_IO_THREADS', 'io.threads', undefined],
    ['FOREBAY_ETCD_ENDPOINTS', 'etcd.endpoints', []],
    ['FOREBAY_CLUSTER_NAME', 'cluster.name', 'forebay'],
    ['FOREBAY_CLUSTER_SECRET_FILE', 'cluster.secretFile', undefined],
    ['FOREBAY_ADVERTISE_HOST', 'advertise.host', undefined],
    ['FOREBAY_ROOT_MOUNT', 'rootMount', undefined],
    ['FOREBAY_ENCRYPTION_KEY_FILE', 'encryption.keyFile', undefined],
    ['FOREBAY_TLS_CERT', 'tls.cert', undefined],
    ['FOREBAY_TLS_KEY', 'tls.key', undefined],
    ['FOREBAY_ROOT_ACCESS_KEY_ID', 'root.accessKeyId', undefined],
    ['FOREBAY_ROOT_SECRET_ACCESS_KEY', 'root.secretAccessKey', undefined],
    ['FOREBAY_METRICS_PUBLIC', 'metrics.public', false],
    ['FOREBAY_CREDENTIAL_GRACE_MS', 'credentialGraceMs', 3_600_000],
  ] as const)('%s is %s, by default %j', (variable, key, value) => {
    expect(variableOf(key)).toBe(variable);
    expect(flagOf(key)).toBe(`--${variable.slice('FOREBAY_'.length).toLowerCase().replaceAll('_', '-')}`);
    expect(load({}).settings[key]).toEqual(value);
  });

  test('no two settings share a variable or a flag', () => {
    expect(new Set(settingKeys.map(variableOf)).size).toBe(settingKeys.length);
    expect(new Set(settingKeys.map(flagOf)).size).toBe(settingKeys.length);
  });

  test('every default is a value that could have been written', () => {
    for (const key of settingKeys) {
      const row = settingsTable[key];
      const kind = row.kind as { parse(raw: unknown): unknown; show(value: unknown): unknown };
      if (row.default === undefined || Array.isArray(row.default)) continue;
      expect([key, kind.parse(kind.show(row.default))]).toEqual([key, row.default]);
    }
  });
});

describe('where a setting comes from', () => {
  const toml = 'region = "from-file"\n[s3]\nport = 1\n[admin]\nport = 2';
  test('a flag is before the environment, that before the file, that before the default', () => {
    const { settings, sources } = load({
      flags: { '--s3-port': '11' },
      environment: { FOREBAY_S3_PORT: '12', FOREBAY_ADMIN_PORT: '13' },
      toml,
    });
    expect([settings['s3.port'], settings['admin.port'], settings.region, settings.host]).toEqual([
      11,
      13,
      'from-file',
      '127.0.0.1',
    ]);
    expect([sources['s3.port'], sources['admin.port'], sources.region, sources.host]).toEqual([
      '--s3-port',
      'FOREBAY_ADMIN_PORT',
      'forebay.toml',
      'default',
    ]);
  });

  test('an empty variable counts as not set; variables of other programs are let be', () => {
    const environment = { FOREBAY_S3_PORT: '', FOREBAY_ADMIN_URL: 'http://x', AWS_REGION: 'x', PATH: '/' };
    expect(load({ environment }).settings['s3.port']).toBe(9000);
  });

  test('TOML may nest tables, dot keys and use its own types', () => {
    const { settings } = load({
      toml: 'page.size = 1048576\ndomains = ["S3.Example.com"]\n[root]\naccessKeyId = "abc"\nsecretAccessKey = "12345678"\n[metrics]\npublic = true\n[timeout]\nidle = "1m"',
    });
    expect(settings['page.size']).toBe(1048576);
    expect(settings.domains).toEqual(['s3.example.com']);
    expect(settings['root.accessKeyId']).toBe('abc');
    expect(settings['metrics.public']).toBe(true);
    expect(settings['timeout.idle']).toBe(60_000);
  });

  test('folders for pages are given with a size each', () => {
    const folders = [
      { path: '/disk1/Pages', sizeBytes: 500 * 1024 ** 3 },
      { path: 'b=c', sizeBytes: 1024 ** 4 },
    ];
    const text = '/disk1/Pages/=500GiB, b=c=1TiB';
    expect(load({ environment: { FOREBAY_CACHE_FOLDERS: text } }).settings['cache.folders']).toEqual(folders);
    const toml = '[cache]\nfolders = ["/disk1/Pages=500GiB", "b=c=1TiB"]';
    expect(load({ toml }).settings['cache.folders']).toEqual(folders);
    expect(settingsTable['cache.folders'].kind.show(folders)).toBe('/disk1/Pages=500GiB,b=c=1TiB');
  });

  test.each(['/a', '/a=', '=1GiB', '/a=1KiB', '/a=1GiB,/a=2GiB', '/a=1GiB,', '/a=0'])(
    'what names no folders with a size is refused: %s',
    (text) => {
      expect(() => load({ environment: { FOREBAY_CACHE_FOLDERS: text } })).toThrow(
        'FOREBAY_CACHE_FOLDERS must be folders with a size each',
      );
    },
  );

  test('the result cannot be changed', () => {
    const { settings } = load({});
    expect(() => Object.assign(settings, { region: 'x' })).toThrow(TypeError);
    expect(() => (settings.domains as string[]).push('x')).toThrow(TypeError);
  });
});

describe('a wrong setting', () => {
  const environment = (name: string, value: string) => ({ environment: { [name]: value } });
  test.each([
    [{ flags: { '--s3-prot': '1' } }, 'unknown flag --s3-prot (did you mean --s3-port?)'],
    [
      environment('FOREBAY_S3PORT', '1'),
      'unknown environment variable FOREBAY_S3PORT (did you mean FOREBAY_S3_PORT?)',
    ],
    [
      environment('FOREBAY_COMPLETELY_DIFFERENT', '1'),
      'unknown environment variable FOREBAY_COMPLETELY_DIFFERENT',
    ],
    [{ toml: '[s3]\nports = 1' }, 'unknown setting s3.ports in forebay.toml (did you mean s3.port?)'],
    [{ toml: '[s3\nport = 1' }, 'forebay.toml is not valid TOML: line 1: '],
    [
      environment('FOREBAY_S3_PORT', '65536'),
      'FOREBAY_S3_PORT must be a whole number from 0 to 65535, not "65536"',
    ],
    [
      environment('FOREBAY_S3_PORT', '9e3'),
      'FOREBAY_S3_PORT must be a whole number from 0 to 65535, not "9e3"',
    ],
    [{ flags: { '--s3-port': '-1' } }, '--s3-port must be a whole number from 0 to 65535, not "-1"'],
    [{ toml: 's3.port = "x"' }, 's3.port in forebay.toml must be a whole number from 0 to 65535, not "x"'],
    [{ toml: 's3.port = 1979-05-27' }, 's3.port in forebay.toml must be a whole number from 0 to 65535'],
    [
      environment('FOREBAY_PAGE_SIZE', '4MB'),
      'FOREBAY_PAGE_SIZE must be a size such as 4MiB, from 64KiB to 64MiB, a multiple of 64KiB, not "4MB"',
    ],
    [
      environment('FOREBAY_PAGE_SIZE', 'big'),
      'FOREBAY_PAGE_SIZE must be a size such as 4MiB, from 64KiB to 64MiB, a multiple of 64KiB, not "big"',
    ],
    [
      environment('FOREBAY_TIMEOUT_IDLE', '30'),
      'FOREBAY_TIMEOUT_IDLE must be a duration such as 30s, from 100ms to 1h, not "30"',
    ],
    [environment('FOREBAY_METRICS_PUBLIC', 'yes'), 'FOREBAY_METRICS_PUBLIC must be true or false, not "yes"'],
    [
      environment('FOREBAY_LOG_LEVEL', 'loud'),
      'FOREBAY_LOG_LEVEL must be one of debug, info, warn, error, not "loud"',
    ],
    [
      environment('FOREBAY_HOST', 'a b'),
      'FOREBAY_HOST must be an IP address or a host name, such as 127.0.0.1 or 0.0.0.0, not "a b"',
    ],
    [
      environment('FOREBAY_DOMAINS', 'a,,b'),
      'FOREBAY_DOMAINS must be host names parted by commas, such as s3.example.com,s3.internal, not "a,,b"',
    ],
    [
      environment('FOREBAY_ROOT_MOUNT', '/srv'),
      'FOREBAY_ROOT_MOUNT must be a URI such as file:///srv/forebay (three slashes), not "/srv"',
    ],
    [
      environment('FOREBAY_TLS_CERT', 'c.pem'),
      'tls.cert is set (FOREBAY_TLS_CERT) and tls.key is not: set both, for example with FOREBAY_TLS_KEY, or neither',
    ],
    [
      environment('FOREBAY_ROOT_ACCESS_KEY_ID', 'abc'),
      'root.accessKeyId is set (FOREBAY_ROOT_ACCESS_KEY_ID) and root.secretAccessKey is not: set both, for example with FOREBAY_ROOT_SECRET_ACCESS_KEY, or neither',
    ],
    [environment('FOREBAY_S3_PORT', '9001'), 's3.port and admin.port are both 9001: each needs its own'],
  ] as const)('%j is refused with what to do', (input, message) => {
    expect(fault(input as Parameters<typeof load>[0])).toContain(message);
  });

  test('a secret is not repeated in the message', () => {
    const message = fault(environment('FOREBAY_ROOT_SECRET_ACCESS_KEY', 'hidden'));
    expect(message).toBe('FOREBAY_ROOT_SECRET_ACCESS_KEY must be 8 to 128 visible ASCII characters');
  });

  test('a key that every object has is still unknown', () => {
    expect(fault({ toml: 'constructor = 1' })).toContain('unknown setting constructor');
    expect(fault({ toml: '"__proto__" = 1' })).not.toBe('no fault');
  });
});

test('the description names every setting and shows no secret', () => {
  const described = describeSettings(
    load({
      environment: { FOREBAY_ROOT_ACCESS_KEY_ID: 'key', FOREBAY_ROOT_SECRET_ACCESS_KEY: 'very-secret' },
    }),
  );
  expect(described.map((row) => row.key)).toEqual(settingKeys);
  expect(JSON.stringify(described)).not.toContain('very-secret');
  expect(described.find((row) => row.key === 'root.secretAccessKey')).toEqual({
    key: 'root.secretAccessKey',
    value: '***',
    source: 'FOREBAY_ROOT_SECRET_ACCESS_KEY',
  });
});
