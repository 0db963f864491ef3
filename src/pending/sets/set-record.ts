/** A journal of a set, on one node's disk. */
export interface SetCopy {
  readonly workerId: string;
  /** A UUID of this very copy: one that is made anew has another. */
  readonly copyId: string;
}

/**
 * Who has what is pending in a set: its keeper, who tells of it and brings it to the storage, and nodes that have all of it too. Kept at
 * `pending/sets/<id>`, changed by compare-and-set alone. Every copy that lies on a disk is named.
 */
export interface SetRecord {
  readonly id: string;
  /** Grows with each change. */
  readonly generation: number;
  /** Of the keeper: the start of its process. */
  readonly incarnation: string;
  /** The keeper's comes first. Empty once nothing is pending in the set and nothing ever will be. */
  readonly copies: readonly SetCopy[];
  /** Copies that do not have everything yet: they count for nothing. */
  readonly building: readonly SetCopy[];
  /** Copies that are void and may still lie on a disk. */
  readonly former: readonly SetCopy[];
  /** The keeper is not the one that the set began with, so attempts of that one may be under way. */
  readonly isTakenOver: boolean;
  /** It has never had a copy beside its keeper's, so that no write was ever acknowledged in it. */
  readonly isFresh?: true;
}

export const setsPrefix = 'pending/sets/';

export function keeperOf({ copies }: Pick<SetRecord, 'copies'>): string | undefined {
  return copies[0]?.workerId;
}

/** Nothing is pending in it, for ever. */
export function isClosed({ copies }: Pick<SetRecord, 'copies'>): boolean {
  return copies.length === 0;
}

/** Only these count from then on; what else was named is void. */
export function withCopies(
  record: SetRecord,
  copies: readonly SetCopy[],
  change: Partial<Pick<SetRecord, 'incarnation' | 'isTakenOver'>> = {},
): SetRecord {
  const named = new Set(copies.map(({ copyId }) => copyId));
  const left = [...record.copies, ...record.building].filter(({ copyId }) => !named.has(copyId));
  const { isFresh, ...before } = record;
  return {
    ...before,
    ...(isFresh && copies.length < 2 ? { isFresh } : {}),
    ...change,
    generation: record.generation + 1,
    copies,
    building: [],
    former: [...record.former, ...left],
  };
}

/** With copies that are going to be filled. */
export function withBuilding(record: SetRecord, building: readonly SetCopy[]): SetRecord {
  return {
    ...record,
    generation: record.generation + 1,
    building: [...record.building, ...building],
  };
}

/** Without a void copy that is gone. */
export function withoutFormer(record: SetRecord, copyId: string): SetRecord {
  const former = record.former.filter((copy) => copy.copyId !== copyId);
  return { ...record, generation: record.generation + 1, former };
}
