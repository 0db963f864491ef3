/** What an operator decides of how a storage is spoken with; each of it is in the tuning of its scheme too. */
interface Decided {
  readonly minBytesPerSecond?: number;
  readonly settlingMs?: number;
}

/** The usual tuning of a scheme, with what is decided otherwise. */
export function tuned<Tuning extends Required<Decided>>(
  usual: Tuning,
  { minBytesPerSecond, settlingMs, tuning }: Decided & { readonly tuning?: Partial<Tuning> },
): Tuning {
  return {
    ...usual,
    minBytesPerSecond: minBytesPerSecond ?? usual.minBytesPerSecond,
    settlingMs: settlingMs ?? usual.settlingMs,
    ...tuning,
  };
}
