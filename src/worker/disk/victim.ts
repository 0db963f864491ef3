import type { AdmissionPolicy } from '../admission.ts';
import type { RegionWriter } from './region-writer.ts';
import type { Region, Regions } from './regions.ts';

/**
 * The region that is given up next, by the policy: of the queue that it names, or of the other one if that has none; an open one where no other
 * is left, which is closed then. Undefined if there is none, or none that would go for a load.
 */
export async function victimOf(
  policy: AdmissionPolicy,
  regions: Regions,
  writer: RegionWriter,
  capacityBytes: number,
  isForLoad: boolean,
): Promise<Region | undefined> {
  const queue = policy.victim({ ...regions.usage, capacityBytes }, isForLoad);
  const isEither = !isForLoad || queue === 'main';
  const oldest = () => (isEither ? regions.victim(queue) : regions.oldest(queue));
  const sealed = oldest();
  if (sealed) return sealed;
  await writer.settled();
  const victim = oldest() ?? writer.abandon(queue);
  return victim ?? (isEither ? writer.abandon(queue === 'small' ? 'main' : 'small') : undefined);
}
