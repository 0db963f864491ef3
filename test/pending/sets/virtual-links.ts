import { PeerError } from '../../../src/peers/errors.ts';
import { Exchange, type ExchangeLink } from '../../../src/peers/exchange.ts';
import type { Lane, PeerAddress } from '../../../src/peers/peer-pool.ts';
import type { Life, Machine } from '../../ring/virtual-node.ts';
import type { VirtualTime } from '../../ring/virtual-time.ts';

/** Takes what others ask a node, to its end. */
export type Answer = (request: Buffer, exchange: Exchange) => void;

/** One end of an exchange across a network on which everything takes its time, in order, and is lost where machines are cut off. */
class Line implements ExchangeLink {
  other: Exchange | undefined;
  readonly isFull = false;
  private readonly links: VirtualLinks;
  private readonly from: Machine;
  private readonly to: Machine;
  private readonly life: Life;
  private readonly isAnswer: boolean;
  private turn: Promise<void> = Promise.resolve();

  constructor(links: VirtualLinks, from: Machine, to: Machine, life: Life, isAnswer: boolean) {
    this.links = links;
    this.from = from;
    this.to = to;
    this.life = life;
    this.isAnswer = isAnswer;
  }

  message(_: number, content: Buffer, isFinal: boolean): void {
    const copy = Buffer.from(content);
    this.links.onMessage(copy.length);
    this.deliver((exchange) => exchange.takeMessage(copy, isFinal));
  }

  data(_: number, bytes: Buffer, isFinal: boolean, written: () => void): void {
    const copy = Buffer.from(bytes);
    this.deliver((exchange) => exchange.takeData(copy, isFinal, this.isAnswer));
    written();
  }

  credit(_: number, bytes: number): void {
    this.deliver((exchange) => exchange.takeCredit(bytes));
  }

  reset(): void {
    this.deliver((exchange) => exchange.fail(new PeerError('reset', 'the peer gave it up')));
  }

  async room(): Promise<void> {}

  forget(): void {}

  begin(work: (exchange: Exchange) => void): void {
    this.deliver(work);
  }

  private deliver(work: (exchange: Exchange) => void): void {
    this.turn = this.turn.then(async () => {
      await this.links.time.sleep(this.from.delayMs());
      if (this.links.isCut(this.from, this.to)) {
        this.lose();
        return;
      }
      await this.to.awake(this.life);
      if (this.other) work(this.other);
    });
  }

  /** Both ends find out, in their time. */
  private lose(): void {
    this.other?.fail(new PeerError('lost', 'the connection broke'));
    this.links.lost(this);
  }
}

/** Ways between machines in virtual time, in the place of connections. */
export class VirtualLinks {
  readonly time: VirtualTime;
  /** Machines that these ways do not lead between. */
  apart: readonly string[] = [];
  /** Until when long bodies do not set out. */
  bulkHeld: Promise<void> | undefined;
  /** Told how long each message is, questions among them. */
  onMessage: (bytes: number) => void = () => {};
  readonly answers = new Map<string, { readonly life: Life; readonly answer: Answer }>();
  private readonly machines: readonly Machine[];
  private readonly pairs = new Map<Line, Exchange>();
  private count = 0;

  constructor(time: VirtualTime, machines: readonly Machine[]) {
    this.time = time;
    this.machines = machines;
  }

  /** What a machine asks others through, as a `PeerPool`. */
  from(machine: Machine) {
    const life = machine.presentLife;
    return {
      open: async (address: PeerAddress, lane: Lane, request: Buffer): Promise<Exchange> => {
        await this.time.sleep(machine.delayMs());
        if (lane === 'bulk') await this.bulkHeld;
        this.onMessage(request.length);
        await machine.awake(life);
        const to = this.machines.find(({ workerId }) => workerId === address.workerId);
        const at = this.answers.get(address.workerId);
        if (!to || !at || at.life.isOver || this.isCut(machine, to)) {
          throw new PeerError('unreachable', 'there is no way to it');
        }
        return this.opened(machine, life, to, at, request);
      },
    };
  }

  isCut(from: Machine, to: Machine): boolean {
    const ends = [from, to];
    return ends.some(({ isAlone }) => isAlone) || ends.every(({ workerId }) => this.apart.includes(workerId));
  }

  lost(line: Line): void {
    this.pairs.get(line)?.fail(new PeerError('lost', 'the connection broke'));
  }

  private opened(
    machine: Machine,
    life: Life,
    to: Machine,
    at: { readonly life: Life; readonly answer: Answer },
    request: Buffer,
  ): Exchange {
    const number = ++this.count;
    const there = new Line(this, machine, to, at.life, false);
    const back = new Line(this, to, machine, life, true);
    const end = () => {
      this.pairs.delete(there);
      this.pairs.delete(back);
    };
    const asking = new Exchange(number, there, end);
    const answering = new Exchange(number, back);
    there.other = answering;
    back.other = asking;
    this.pairs.set(there, asking);
    this.pairs.set(back, answering);
    // Enough for any answer's body.
    asking.body.open(64 * 1024 * 1024, true);
    answering.takeCredit(64 * 1024 * 1024);
    there.begin((exchange) => at.answer(request, exchange));
    return asking;
  }
}
