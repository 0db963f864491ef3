import { run } from '../../src/cli/run.ts';
import type { RunningNode } from '../../src/cli/running-node.ts';
import { type Key, rootKey } from './one-node.ts';

/** Runs a command line in this process, as the root user of a node; words are parted by blanks. `SECRET` is that of the storage below. */
export async function say(node: RunningNode, line: string, storageSecret: string, key: Key = rootKey) {
  const lines: string[] = [];
  const print = (text: string) => lines.push(text);
  const environment = {
    FOREBAY_ADMIN_URL: node.adminUrl,
    AWS_ACCESS_KEY_ID: key.accessKeyId,
    AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
    SECRET: storageSecret,
  };
  const exitCode = await run(line.split(' '), { environment, print, printError: print });
  return { exitCode, said: lines.join('\n') };
}
