/** Pages, and the bytes that they hold of objects. */
export interface HeldPages {
  readonly pages: number;
  readonly bytes: number;
}

/** A bucket, or what lies below a prefix of it that ends with a slash. */
export interface HoldingsTarget {
  readonly bucket: string;
  readonly prefix: string;
}

/** What nodes are asked. */
export interface HoldingsQuestion {
  readonly targets: readonly HoldingsTarget[];
}

/** What a node holds, and by what it goes. */
export interface Holdings {
  /** Of each target that was asked for, in order. */
  readonly held: readonly HeldPages[];
  /** Of all its pages, and what there is room for. */
  readonly usedBytes: number;
  readonly capacityBytes: number;
  /** Objects that it has pages of, about. */
  readonly objects: number;
  /** Which policies and settings of the cluster it goes by: the same for the same ones. */
  readonly goesBy: string;
}
