import { randomBytes, randomUUID } from 'node:crypto';

/** Chance as a dependency, so that tests can seed it. */
export interface Random {
  /** A uniformly distributed number in [0, 1). Not for secrets. */
  next(): number;
  uuid(): string;
  /** `count` cryptographically strong bytes. */
  bytes(count: number): Buffer;
}

export const systemRandom: Random = {
  next: () => Math.random(),
  uuid: () => randomUUID(),
  bytes: (count) => randomBytes(count),
};
