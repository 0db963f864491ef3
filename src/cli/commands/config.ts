import type { Command } from '../command.ts';
import { describeSettings } from '../settings.ts';
import { columns } from '../text.ts';

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
];
