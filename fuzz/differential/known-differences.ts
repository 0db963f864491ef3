import type { ServerName } from '../../conformance/backends/storage-server.ts';
import { knownOfMoto } from './known-of-moto.ts';
import { knownOfS3Proxy } from './known-of-s3proxy.ts';
import type { Step } from './step.ts';

/** An answer of another server that is not S3's, with the page that says what S3 answers. */
export interface KnownDifference {
  readonly operations: readonly string[];
  /** The field that differs, as in `Difference`. */
  readonly field: RegExp;
  /** What Forebay answers; anything if left out. */
  readonly ours?: RegExp;
  readonly theirs?: RegExp;
  /** Whether it may come from this request; from any if left out. */
  readonly when?: (step: Step) => boolean;
  /** From there on the two hold different things: the sequence ends. */
  readonly parts?: true;
  /** What S3 answers, and where that is written. */
  readonly because: string;
}

export const knownDifferences: Readonly<Record<ServerName, readonly KnownDifference[]>> = {
  moto: knownOfMoto,
  s3proxy: knownOfS3Proxy,
};
