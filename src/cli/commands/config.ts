import type { Command } from '../command.ts';
import { checkDynamic, parseDynamic } from '../dynamic-settings.ts';
import { UsageError } from '../errors.ts';
import { BadValue } from '../setting-kinds.ts';
import { describeSettings } from '../settings.ts';
import { columns } from '../text.ts';
import { type Reach, reachInWords } from './reach.ts';
import { callAdmin, show } from './shared.ts';

interface SharedSetting {
  readonly key: string;
  readonly value: string;
  readonly from: 'cluster' | 'node';
}

/** `forebay config …` */
export const configCommands: readonly Command[] = [
  {
    words: ['config', 'show'],
    arguments: [],
    options: [],
    summary: 'Show the effective settings and where each comes from; secrets as ***',
    showsSettings: true,
    run: async (invocation) => {
      const rows = describeSettings(await invocation.settings());
      if (invocation.json) {
        const byKey = rows.map(({ key, value, source }) => [key, { value, source }]);
        invocation.print(JSON.stringify(Object.fromEntries(byKey)));
        return 0;
      }
      const lines = rows.map(({ key, value, source }) => [
        `${key} = ${value === null ? '(not set)' : value}`,
        source,
      ]);
      for (const line of columns(lines)) invocation.print(line);
      return 0;
    },
  },
  {
    words: ['config', 'list'],
    arguments: [],
    options: [],
    summary: 'List the settings that can be changed while nodes run, as the node goes by them',
    run: async (invocation) => {
      const { settings } = await callAdmin<{ settings: SharedSetting[] }>(invocation, 'GET', '/v1/settings');
      const rows = settings.map(({ key, value, from }) => [
        key,
        value,
        from === 'cluster' ? 'config set' : 'the node itself',
      ]);
      show(invocation, settings, columns([['SETTING', 'VALUE', 'FROM'], ...rows]));
      return 0;
    },
  },
  {
    words: ['config', 'set'],
    arguments: ['KEY', 'VALUE'],
    options: [],
    summary: 'Change a setting on all nodes, while they run and for later, whatever each was started with',
    run: async (invocation) => {
      const { KEY: key = '', VALUE: value = '' } = invocation.arguments;
      asUsage(() => parseDynamic(key, value));
      const reach = await callAdmin<Reach>(invocation, 'POST', '/v1/settings', { key, value });
      show(invocation, { key, value, ...reach }, [`${key} = ${value}`, reachInWords(reach)]);
      return 0;
    },
  },
  {
    words: ['config', 'unset'],
    arguments: ['KEY'],
    options: [],
    summary: 'Have each node go by its own value of a setting again',
    run: async (invocation) => {
      const key = asUsage(() => checkDynamic(invocation.arguments.KEY ?? ''));
      const reach = await callAdmin<Reach>(invocation, 'DELETE', `/v1/settings/${encodeURIComponent(key)}`);
      show(invocation, { unset: key, ...reach }, [
        `each node goes by its own ${key} again`,
        reachInWords(reach),
      ]);
      return 0;
    },
  },
];

/** What makes no sense is a fault of the command line. */
function asUsage<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof BadValue) throw new UsageError(error.message);
    throw error;
  }
}
