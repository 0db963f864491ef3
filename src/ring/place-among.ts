import type { Ownership } from './ownership.ts';

/**
 * Which of how many members this node is by the applied view, for what all of them share. One that is no member yet takes the place behind
 * them. While the coordination store is away the last view holds.
 */
export function placeAmong(ownership: Pick<Ownership, 'workerId' | 'view'>): {
  readonly place: number;
  readonly count: number;
} {
  const { members } = ownership.view();
  const place = members.findIndex(({ workerId }) => workerId === ownership.workerId);
  return place >= 0 ? { place, count: members.length } : { place: members.length, count: members.length + 1 };
}
