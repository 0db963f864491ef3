import type { Command } from './command.ts';
import { adminCommands } from './commands/admin.ts';
import { auditCommand } from './commands/audit.ts';
import { configCommands } from './commands/config.ts';
import { duCommand } from './commands/du.ts';
import { explainCommand } from './commands/explain.ts';
import { jobCommands } from './commands/job.ts';
import { loadCommands } from './commands/load.ts';
import { mountCommands } from './commands/mount.ts';
import { nodeCommands } from './commands/node.ts';
import { pendingCommands } from './commands/pending.ts';
import { policyCommands } from './commands/policy.ts';
import { ringCommands } from './commands/ring.ts';
import { serveCommand } from './commands/serve.ts';
import { statusCommand } from './commands/status.ts';
import { userCommands } from './commands/user.ts';
import { versionCommand } from './commands/version.ts';

/** Every command there is, in the order of the help. */
export const commandTable: readonly Command[] = [
  serveCommand,
  statusCommand,
  explainCommand,
  ...userCommands,
  ...mountCommands,
  ...policyCommands,
  duCommand,
  ...pendingCommands,
  ...loadCommands,
  ...jobCommands,
  ...ringCommands,
  ...nodeCommands,
  ...configCommands,
  auditCommand,
  ...adminCommands,
  versionCommand,
];
