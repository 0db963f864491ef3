import type { Clock } from '../common/clock.ts';
import type { ClusterOwnership } from './cluster-ownership.ts';
import type { ReleaseQuestion, ViewMember } from './ownership.ts';
import { nameOf } from './tenures.ts';

/** Members that are asked at once. */
const maxAtOnce = 64;
const pauseMs = 100;

/** Asks those who lost something to this node whether they have released it, so that it need not wait for the end of their leases. */
export class Releases {
  private readonly clock: Clock;
  private readonly ownership: ClusterOwnership;
  private asking: AbortController | undefined;

  constructor(clock: Clock, ownership: ClusterOwnership) {
    this.clock = clock;
    this.ownership = ownership;
  }

  close(): void {
    this.asking?.abort();
  }

  /** To be called when a view was applied, or how members are asked has changed. */
  begin(): void {
    this.asking?.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    const question = this.ownership.releaseQuestion;
    if (!question) return;
    const names = new Set(this.ownership.unsettled().keys());
    const queue = this.ownership.view().members.filter((member) => names.has(nameOf(member)));
    for (let i = 0; i < Math.min(maxAtOnce, queue.length); i++) void this.askAll(queue, question, signal);
  }

  private async askAll(queue: ViewMember[], question: ReleaseQuestion, signal: AbortSignal): Promise<void> {
    for (let member = queue.shift(); member && !signal.aborted; member = queue.shift()) {
      if (await this.ask(member, question, signal)) continue;
      // Whoever else is to be asked comes first.
      queue.push(member);
      await this.clock.sleep(pauseMs, signal).catch(() => {});
    }
  }

  /** True if there is nothing left to ask. */
  private async ask(member: ViewMember, question: ReleaseQuestion, signal: AbortSignal): Promise<boolean> {
    const { generation, epoch } = this.ownership.view();
    const name = nameOf(member);
    const untilMs = this.ownership.unsettled().get(name);
    if (untilMs === undefined) return true;
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const timer = this.clock.sleep(Math.max(1, untilMs - this.clock.monotonicMs()), either);
    timer.then(
      () => over.abort(),
      () => {},
    );
    try {
      const released = await question(member, { generation, epoch }, either);
      if (released) this.ownership.released(name, { generation, epoch }, released);
      return released !== undefined;
    } catch {
      // No answer is no release: the end of its lease is waited for, and the time in which something may come late.
      return false;
    } finally {
      over.abort();
    }
  }
}
