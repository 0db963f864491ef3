/** One step on the way to a storage, in words for operators. */
export interface ReachStep {
  readonly name: 'credentials' | 'resolve' | 'connect' | 'tls' | 'signature' | 'bucket';
  readonly result: 'ok' | 'failed';
  /** What was found, or what is wrong and what to do about it. */
  readonly detail: string;
}
