import { AdminError } from '../admin/admin-error.ts';
import type { ClusterSettings, SharedSetting } from '../admin/route.ts';
import type { ConfigStore } from '../coord/config-store.ts';
import { nearest } from './nearest.ts';
import { BadValue } from './setting-kinds.ts';
import {
  flagOf,
  type Setting,
  type SettingKey,
  type Settings,
  settingKeys,
  settingsTable,
  variableOf,
} from './settings-table.ts';

type Table = typeof settingsTable;

/** Settings that can be changed while nodes run. */
export type DynamicKey = {
  [K in SettingKey]: Table[K] extends { readonly dynamic: true } ? K : never;
}[SettingKey];

export const dynamicKeys = settingKeys.filter(
  (key) => (settingsTable[key] as Setting<unknown>).dynamic,
) as readonly DynamicKey[];

/** Settings as they are now: what was set for all nodes, otherwise the node's own. */
export class DynamicSettings implements ClusterSettings {
  private readonly own: Settings;
  private readonly store: ConfigStore;

  constructor(own: Settings, store: ConfigStore) {
    this.own = own;
    this.store = store;
  }

  get<K extends DynamicKey>(key: K): Settings[K] {
    const text = this.store.get(key);
    if (text === undefined) return this.own[key];
    // Metadata that is never kept here must not be kept because of what other nodes have not heard of yet.
    if (key === 'freshness.lease' && this.own[key] === 0) return this.own[key];
    try {
      return parseDynamic(key, text).value as Settings[K];
    } catch (error) {
      // Written by a node of another version: it says nothing to this one.
      if (error instanceof BadValue) return this.own[key];
      throw error;
    }
  }

  /** As `get`; undefined where it is not set for all nodes. */
  shared<K extends DynamicKey>(key: K): Settings[K] | undefined {
    return this.store.get(key) === undefined ? undefined : this.get(key);
  }

  /** Calls `apply` now and after each change, until the returned function is called. */
  follow(apply: () => void): () => void {
    apply();
    return this.store.onChange(apply);
  }

  list(): readonly SharedSetting[] {
    return dynamicKeys.map((key) => {
      const row = settingsTable[key] as Setting<unknown>;
      const isShared = this.store.get(key) !== undefined;
      return { key, value: String(row.kind.show(this.get(key))), from: isShared ? 'cluster' : 'node' };
    });
  }

  async set(key: string, text: string): Promise<void> {
    const known = asRequest(() => parseDynamic(key, text));
    if (!(await this.store.put(key, known.text))) throw changedMeanwhile(key);
  }

  async unset(key: string): Promise<void> {
    asRequest(() => checkDynamic(key));
    const removed = await this.store.remove(key);
    if (removed === undefined) {
      throw new AdminError(404, 'NotFound', `${key} is not set for all nodes: each goes by its own`);
    }
    if (!removed) throw changedMeanwhile(key);
  }
}

/** A value of a setting that can be changed while nodes run, and how it is written. Throws `BadValue`, whose message says it all. */
export function parseDynamic(key: string, text: string): { readonly value: unknown; readonly text: string } {
  const row = settingsTable[checkDynamic(key)] as Setting<unknown>;
  let value: unknown;
  try {
    value = row.kind.parse(text);
  } catch (error) {
    if (error instanceof BadValue)
      throw new BadValue(`${key} must be ${error.message}, not ${JSON.stringify(text)}`);
    throw error;
  }
  if (key === 'freshness.lease' && value === 0) {
    throw new BadValue(
      'freshness.lease cannot be 0s for all nodes at once: set it on each node, and restart them',
    );
  }
  return { value, text: String(row.kind.show(value)) };
}

/** Throws `BadValue`, whose message says it all. */
export function checkDynamic(key: string): DynamicKey {
  if (dynamicKeys.includes(key as DynamicKey)) return key as DynamicKey;
  if (!settingKeys.includes(key as SettingKey)) {
    throw new BadValue(`unknown setting ${key}${nearest(key, settingKeys)}`);
  }
  const own = key as SettingKey;
  throw new BadValue(
    `${key} cannot be changed while nodes run: set ${variableOf(own)} or ${flagOf(own)} on each node, and restart it. What can: ${dynamicKeys.join(', ')}`,
  );
}

function asRequest<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof BadValue) throw new AdminError(400, 'InvalidRequest', error.message);
    throw error;
  }
}

function changedMeanwhile(key: string): AdminError {
  return new AdminError(409, 'Conflict', `${key} was changed by somebody else meanwhile: look again`);
}
