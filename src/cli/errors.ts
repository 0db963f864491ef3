/** The command was written wrongly: shown with a hint at its help, exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** The command was understood and could not be done: shown as it is, exit code 1. */
export class CommandError extends Error {
  override name = 'CommandError';
}
