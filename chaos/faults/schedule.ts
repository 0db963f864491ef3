import type { Draws } from '../../fuzz/lib/draws.ts';
import { etcdFaults } from './etcd-faults.ts';
import { between, type Fault, type FaultScene } from './fault.ts';
import { joinFault } from './join-fault.ts';
import { networkFaults } from './network-faults.ts';
import { nodeFaults } from './node-faults.ts';
import { pendingFaults } from './pending-faults.ts';
import { storageFaults } from './storage-faults.ts';

/** How many are done at once at most. */
const lanes = 3;

/** Every kind of fault, for one campaign. `back`: writes are acknowledged there before the storage has them. */
export function allFaults({ back }: { readonly back: boolean }): readonly Fault[] {
  const more = back ? pendingFaults : [];
  return [...nodeFaults, ...networkFaults, ...storageFaults, ...etcdFaults, joinFault(), ...more];
}

/** Does one fault after another in several lanes at once, each kind as often as its weight says. */
export class Schedule {
  /** How often each kind was done to its end. */
  readonly counts = new Map<string, number>();
  /** How often one began while another was under way. */
  overlaps = 0;
  private readonly faults: readonly Fault[];
  private readonly draws: Draws;
  private readonly held = new Set<string>();
  private readonly dealt: Fault[] = [];
  private underWay = 0;

  constructor(faults: readonly Fault[], draws: Draws) {
    this.faults = faults;
    this.draws = draws;
    for (const { name } of faults) this.counts.set(name, 0);
  }

  /** Until the signal; resolves when everything is undone. */
  async run(scene: FaultScene, signal: AbortSignal): Promise<void> {
    const lane = async () => {
      while (!signal.aborted) {
        await scene.wait(between(this.draws, 100, 1_500));
        if (!signal.aborted) await this.next(scene);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  private async next(scene: FaultScene): Promise<void> {
    const fault = this.deal();
    if (fault.holds && this.held.has(fault.holds)) return;
    if (fault.holds) this.held.add(fault.holds);
    if (this.underWay > 0) this.overlaps += 1;
    this.underWay += 1;
    try {
      const isDone = await fault.run(scene);
      if (isDone) this.counts.set(fault.name, (this.counts.get(fault.name) ?? 0) + 1);
    } finally {
      this.underWay -= 1;
      if (fault.holds) this.held.delete(fault.holds);
    }
  }

  /** Out of a pack that is shuffled again when it is used up, so that no kind is left out for long. */
  private deal(): Fault {
    if (this.dealt.length === 0) {
      const pack = this.faults.flatMap((fault) => Array.from({ length: fault.weight }, () => fault));
      this.dealt.push(...this.draws.shuffled(pack));
    }
    return this.dealt.pop() as Fault;
  }
}
