import type { Command } from './command.ts';
import { configCommands } from './commands/config.ts';
import { mountCommands } from './commands/mount.ts';
import { nodeCommands } from './commands/node.ts';
import { pendingCommands } from './commands/pending.ts';
import { ringCommands } from './commands/ring.ts';
import { serveCommand } from './commands/serve.ts';
import { userCommands } from './commands/user.ts';
import { versionCommand } from './commands/version.ts';

/** Every command there is, in the order of the help. */
export const commandTable: readonly Command[] = [
  serveCommand,
  ...userCommands,
  ...mountCommands,
  ...pendingCommands,
  ...ringCommands,
  ...nodeCommands,
  ...configCommands,
  versionCommand,
];
