import type { Clock } from '../common/clock.ts';
import type { Policies } from '../common/policy.ts';
import type { PageStore } from './page-store.ts';

/** How often it is looked for pages that have grown too old. None of them is used meanwhile: they only take room. */
const everyMs = 10_000;
/** A look that takes long is followed by a pause of so many times that. */
const pausesALook = 50;

/** Has a store drop what policies do not want kept: at each change of theirs, and now and then for what grows old. While there is none it does nothing. */
export class PolicySweep {
  private readonly clock: Clock;
  private readonly policies: Policies;
  private readonly pages: Pick<PageStore, 'applyPolicies'>;
  private readonly closed = new AbortController();
  private readonly stopFollowing: () => void;
  private timed: Promise<void> | undefined;
  private running: Promise<void> | undefined;
  private isDue = false;
  private lookMs = 0;

  constructor(clock: Clock, policies: Policies, pages: Pick<PageStore, 'applyPolicies'>) {
    this.clock = clock;
    this.policies = policies;
    this.pages = pages;
    this.stopFollowing = policies.onChange(() => {
      this.begin();
      this.watch();
    });
    this.watch();
  }

  /** Ends when nothing is being dropped. */
  async close(): Promise<void> {
    this.stopFollowing();
    this.closed.abort();
    await this.timed;
    await this.running;
  }

  private begin(): void {
    this.isDue = true;
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
  }

  private async run(): Promise<void> {
    while (this.isDue && !this.closed.signal.aborted) {
      this.isDue = false;
      const begunMs = this.clock.monotonicMs();
      await this.pages.applyPolicies();
      this.lookMs = this.clock.monotonicMs() - begunMs;
    }
  }

  private watch(): void {
    if (this.policies.isEmpty) return;
    this.timed ??= this.now().finally(() => {
      this.timed = undefined;
      // There may have been none for a moment only.
      if (!this.closed.signal.aborted) this.watch();
    });
  }

  private async now(): Promise<void> {
    while (!this.policies.isEmpty && (await this.pause())) this.begin();
  }

  private async pause(): Promise<boolean> {
    try {
      await this.clock.sleep(Math.max(everyMs, pausesALook * this.lookMs), this.closed.signal);
      return true;
    } catch {
      return false; // Only closing ends a sleep early.
    }
  }
}
