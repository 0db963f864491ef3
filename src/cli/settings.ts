import { parse as parseToml, TomlError } from 'smol-toml';
import { UsageError } from './errors.ts';
import { nearest } from './nearest.ts';
import { BadValue, type RawValue } from './setting-kinds.ts';
import {
  flagOf,
  type Setting,
  type SettingKey,
  type Settings,
  settingKeys,
  settingsTable,
  variableOf,
} from './settings-table.ts';

/** Where settings may come from, already read; the first that names a key decides. */
export interface SettingsInput {
  /** By flag (`--s3-port`), settings only. */
  readonly flags: ReadonlyMap<string, string>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly file?: { readonly path: string; readonly text: string };
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** Where each value comes from: `default`, the variable, the flag, or the file's path. */
  readonly sources: Readonly<Record<SettingKey, string>>;
}

/** Variables that are not settings. */
const otherVariables = new Set(['FOREBAY_ADMIN_URL', 'FOREBAY_CONFIG']);

interface Found {
  readonly raw: RawValue;
  /** Where it was written, as a message names it. */
  readonly source: string;
}

/** Parses, checks and freezes. Throws a `UsageError` that names the place and says what to write instead. */
export function resolveSettings(input: SettingsInput): LoadedSettings {
  const layers = [
    fromFlags(input.flags),
    fromEnvironment(input.environment),
    input.file ? fromFile(input.file) : new Map<SettingKey, Found>(),
  ];
  const settings: Partial<Record<SettingKey, unknown>> = {};
  const sources: Partial<Record<SettingKey, string>> = {};
  for (const key of settingKeys) {
    const row = settingsTable[key] as Setting<unknown>;
    const found = layers.map((layer) => layer.get(key)).find((value) => value !== undefined);
    settings[key] = found ? parseValue(key, row, found) : row.default;
    sources[key] = found?.source ?? 'default';
  }
  const loaded = {
    settings: Object.freeze(settings as Settings),
    sources: Object.freeze(sources as Record<SettingKey, string>),
  };
  checkTogether(loaded);
  return loaded;
}

function fromFlags(flags: ReadonlyMap<string, string>): Map<SettingKey, Found> {
  const byFlag = new Map(settingKeys.map((key) => [flagOf(key), key]));
  const found = new Map<SettingKey, Found>();
  for (const [flag, raw] of flags) {
    const key = byFlag.get(flag);
    if (!key) throw new UsageError(`unknown flag ${flag}${nearest(flag, byFlag.keys())}`);
    found.set(key, { raw, source: flag });
  }
  return found;
}

function fromEnvironment(environment: SettingsInput['environment']): Map<SettingKey, Found> {
  const byVariable = new Map(settingKeys.map((key) => [variableOf(key), key]));
  const found = new Map<SettingKey, Found>();
  for (const [name, raw] of Object.entries(environment)) {
    if (!name.startsWith('FOREBAY_') || raw === undefined || otherVariables.has(name)) continue;
    const key = byVariable.get(name);
    if (!key) throw new UsageError(`unknown environment variable ${name}${nearest(name, byVariable.keys())}`);
    // Compose files and shells often hand on `NAME=` for what is not set.
    if (raw !== '') found.set(key, { raw, source: name });
  }
  return found;
}

function fromFile(file: { readonly path: string; readonly text: string }): Map<SettingKey, Found> {
  const found = new Map<SettingKey, Found>();
  const visit = (table: Record<string, unknown>, prefix: string): void => {
    for (const [name, value] of Object.entries(table)) {
      const key = prefix + name;
      if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)) {
        visit(value as Record<string, unknown>, `${key}.`);
      } else if (Object.hasOwn(settingsTable, key)) {
        found.set(key as SettingKey, { raw: value as RawValue, source: file.path });
      } else {
        throw new UsageError(`unknown setting ${key} in ${file.path}${nearest(key, settingKeys)}`);
      }
    }
  };
  visit(parseFile(file), '');
  return found;
}

function parseFile(file: { readonly path: string; readonly text: string }): Record<string, unknown> {
  try {
    return parseToml(file.text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split('\n', 1)[0]?.replace(/^Invalid TOML document: /, '');
    throw new UsageError(`${file.path} is not valid TOML: line ${error.line}: ${reason}`);
  }
}

function parseValue(key: SettingKey, row: Setting<unknown>, found: Found): unknown {
  try {
    return row.kind.parse(found.raw);
  } catch (error) {
    if (!(error instanceof BadValue)) throw error;
    const inFile = found.source !== variableOf(key) && found.source !== flagOf(key);
    const where = inFile ? `${key} in ${found.source}` : found.source;
    const given =
      row.secret || typeof found.raw === 'object' ? '' : `, not ${JSON.stringify(String(found.raw))}`;
    throw new UsageError(`${where} must be ${error.message}${given}`);
  }
}

/** What no value shows by itself. */
function checkTogether({ settings, sources }: LoadedSettings): void {
  const pair = (a: SettingKey, b: SettingKey) => {
    const [given, missing] = settings[a] === undefined ? [b, a] : [a, b];
    if (settings[given] === undefined || settings[missing] !== undefined) return;
    throw new UsageError(
      `${given} is set (${sources[given]}) and ${missing} is not: set both, for example with ${variableOf(missing)}, or neither`,
    );
  };
  pair('tls.cert', 'tls.key');
  pair('root.accessKeyId', 'root.secretAccessKey');
  pair('rootMountAccessKeyId', 'rootMountSecretAccessKey');
  pair('etcd.cert', 'etcd.key');
  pair('etcd.user', 'etcd.password');
  const secure = settings['etcd.endpoints'].filter((endpoint) => endpoint.startsWith('https://')).length;
  if (secure > 0 && secure < settings['etcd.endpoints'].length) {
    throw new UsageError(
      `etcd.endpoints (${sources['etcd.endpoints']}) are some with https:// and some without: write all of them alike`,
    );
  }
  for (const key of ['etcd.caFile', 'etcd.cert'] as const) {
    if (settings[key] === undefined || secure > 0) continue;
    throw new UsageError(
      `${key} is set (${sources[key]}) and etcd is not spoken to over TLS: write etcd.endpoints with https://`,
    );
  }
  const ports = ['s3.port', 'admin.port', 'peer.port'] as const;
  for (const [index, port] of ports.entries()) {
    const other = ports.slice(index + 1).find((p) => settings[p] === settings[port] && settings[p] !== 0);
    if (other) throw new UsageError(`${port} and ${other} are both ${settings[port]}: each needs its own`);
  }
}

/** The settings as `config show` gives them: by key, secrets as `***`. */
export function describeSettings(
  loaded: LoadedSettings,
): { key: SettingKey; value: string | number | boolean | null; source: string }[] {
  return settingKeys.map((key) => {
    const row = settingsTable[key] as Setting<unknown>;
    const value = loaded.settings[key];
    const shown = value === undefined ? null : row.secret ? '***' : row.kind.show(value);
    return { key, value: shown, source: loaded.sources[key] };
  });
}
