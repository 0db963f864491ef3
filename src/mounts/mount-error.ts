export type MountErrorKind =
  /** The mount as it was asked for makes no sense; the message says what to write instead. */
  | 'invalid'
  /** There is a mount or a bucket in its place already. */
  | 'exists'
  | 'not-found'
  /** Other mounts lie inside it. */
  | 'nested'
  /** Something else was changed at the same moment; nothing was done. */
  | 'conflict';

/** Why a mount could not be added or removed. `message` is for operators. */
export class MountError extends Error {
  override name = 'MountError';
  readonly kind: MountErrorKind;
  constructor(kind: MountErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}
