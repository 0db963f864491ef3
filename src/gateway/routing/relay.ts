import type { Clock } from '../../common/clock.ts';
import { PeerError } from '../../peers/errors.ts';
import type { Exchange } from '../../peers/exchange.ts';
import { resetReasons } from '../../peers/frames.ts';
import type { PeerPool } from '../../peers/peer-pool.ts';
import type { WindowBudget } from '../../peers/window-budget.ts';
import type { Ownership } from '../../ring/ownership.ts';
import { encode } from './wire.ts';
import type { Write } from './write-calls.ts';

/** Passes changes on between two nodes that cannot reach each other, as they come; what they are it does not look at. */
export class Relay {
  readonly #clock: Clock;
  readonly #ownership: Ownership;
  readonly #pool: PeerPool;

  constructor(clock: Clock, ownership: Ownership, pool: PeerPool) {
    this.#clock = clock;
    this.#ownership = ownership;
    this.#pool = pool;
  }

  /** `outer`: with the node that asks. Resolves when the owner has answered, or cannot be reached from here either. */
  async pass(
    { relayTo, ...write }: Write & { readonly relayTo: string },
    outer: Exchange,
    budget: WindowBudget,
  ): Promise<void> {
    const owner = this.#ownership.view().member(relayTo);
    let inner: Exchange;
    try {
      if (!owner) throw new PeerError('unreachable', 'it is no member of the cluster');
      const message = encode({ ...write, hops: write.hops + 1, sentMs: this.#clock.monotonicMs() });
      inner = await this.#pool.open(owner, write.body ? 'bulk' : 'small', message, 0);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      outer.send(encode({ unreachable: error.message }), true);
      return;
    }
    const cut = () => inner.cancel(resetReasons.cancelled);
    outer.signal.addEventListener('abort', cut, { once: true });
    if (outer.signal.aborted) cut();
    const windowBytes = write.body ? budget.take(write.body.sizeBytes) : 0;
    try {
      if (write.body) void passBody(outer, inner, windowBytes);
      void passMessages(outer, inner);
      await passAnswers(inner, outer);
    } finally {
      budget.giveBack(windowBytes);
      outer.signal.removeEventListener('abort', cut);
      inner.cancel(resetReasons.cancelled);
    }
  }
}

/** Begins when the owner wants the body, so that the node that asks keeps it until then. */
async function passBody(outer: Exchange, inner: Exchange, windowBytes: number): Promise<void> {
  if (!(await inner.awaitCredit())) return;
  outer.body.open(windowBytes);
  try {
    for await (const piece of outer.body) if (!(await inner.write(piece))) return;
    inner.endBody();
  } catch {
    // Either side is gone, which the other is told by the end of its exchange.
    inner.cancel(resetReasons.cancelled);
  }
}

async function passMessages(outer: Exchange, inner: Exchange): Promise<void> {
  try {
    while (!inner.isOver) inner.send(await outer.receive());
  } catch {
    // The node that asked has gone, or everything was answered: nothing is left to be passed on.
    inner.cancel(resetReasons.cancelled);
  }
}

async function passAnswers(inner: Exchange, outer: Exchange): Promise<void> {
  try {
    for (;;) {
      const message = await inner.receive();
      const isLast = inner.isOver;
      outer.send(message, isLast);
      if (isLast) return;
    }
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    // What became of the change is not known here either.
    outer.cancel(resetReasons.cancelled);
  }
}
