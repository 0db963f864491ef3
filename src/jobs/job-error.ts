export type JobErrorKind = 'invalid' | 'not-found' | 'conflict' | 'limit';

/** What is wrong with what was asked of the jobs. */
export class JobError extends Error {
  override name = 'JobError';
  readonly kind: JobErrorKind;
  constructor(kind: JobErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}
