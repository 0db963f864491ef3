/** The command was written wrongly: shown with a hint at its help, exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** The command was understood and could not be done: shown as it is, exit code 1. */
export class CommandError extends Error {
  override name = 'CommandError';
  /** Whether it may go well a little later: the node could not be reached, or was busy. */
  readonly mayPass: boolean;
  constructor(message: string, mayPass = false) {
    super(message);
    this.mayPass = mayPass;
  }
}
