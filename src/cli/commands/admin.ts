import type { Command } from '../command.ts';
import { callAdmin } from './shared.ts';

/** `forebay admin …` */
export const adminCommands: readonly Command[] = [
  {
    words: ['admin', 'openapi'],
    arguments: [],
    options: [],
    summary: 'Show the description of the admin API (OpenAPI 3.1, JSON)',
    run: async (invocation) => {
      const document = await callAdmin(invocation, 'GET', '/openapi.json');
      invocation.print(JSON.stringify(document, undefined, invocation.json ? undefined : 2));
      return 0;
    },
  },
];
