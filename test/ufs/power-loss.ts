import type { Disk } from '../support/fault-disk.ts';

/** How much of what was not synced survives: nothing; everything, as when only the process is killed; or chance decides. */
export const survivals = ['nothing', 'everything', 1, 2] as const;
export type Survival = (typeof survivals)[number];

export function survivors(disk: Disk, survival: Survival, salt: number): Disk {
  if (survival === 'nothing') return disk.afterPowerLoss();
  if (survival === 'everything') return disk.afterPowerLoss(() => 0);
  return disk.afterPowerLoss(seeded(survival * 7_919 + salt));
}

function seeded(seed: number): () => number {
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
