import { readFile } from 'node:fs/promises';
import type { Command } from '../command.ts';

/** The version of this package. */
export async function readVersion(): Promise<string> {
  const text = await readFile(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** `forebay version` */
export const versionCommand: Command = {
  words: ['version'],
  arguments: [],
  options: [],
  summary: 'Show the version',
  run: async (invocation) => {
    const version = await readVersion();
    const json = { forebay: version, node: process.versions.node };
    invocation.print(invocation.json ? JSON.stringify(json) : `forebay ${version}, Node ${json.node}`);
    return 0;
  },
};
