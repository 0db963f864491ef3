export type PolicyErrorKind =
  /** It makes no sense as it was asked for; the message says what to write instead. */
  | 'invalid'
  | 'not-found'
  /** Something else was changed at the same moment; nothing was done. */
  | 'conflict'
  /** There are as many as there may be, or more is asked for than there is. */
  | 'limit';

/** Why a policy could not be set or removed. `message` is for operators. */
export class PolicyError extends Error {
  override name = 'PolicyError';
  readonly kind: PolicyErrorKind;
  constructor(kind: PolicyErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}
