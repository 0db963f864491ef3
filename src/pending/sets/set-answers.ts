import type { Log } from '../../common/log.ts';
import { PeerError } from '../../peers/errors.ts';
import type { Exchange } from '../../peers/exchange.ts';
import { resetReasons } from '../../peers/frames.ts';
import type { HeldCopy } from './held-copy.ts';
import type { KeptSets } from './kept-sets.ts';
import { SetRefusal } from './set-peers.ts';
import type { SetUploads } from './set-uploads.ts';
import {
  type AskBytes,
  type BodyEnd,
  type ChangeCopy,
  decode,
  encode,
  type SetAnswer,
  type SetQuestion,
} from './set-wire.ts';

/** What a node does for others about pending writes. */
export interface SetDuties {
  readonly kept: KeptSets;
  readonly uploads: Pick<SetUploads, 'answer'>;
  copy(copyId: string): HeldCopy | undefined;
  openCopy(setId: string, copyId: string): Promise<void>;
  hasCopy(setId: string, copyId: string | undefined): boolean;
  knows(incarnation: string, writeMode: string | undefined): boolean;
}

const windowBytes = 1024 * 1024;

/** Answers other nodes' questions about pending writes: as the keeper of sets, and as one who holds copies. */
export class SetAnswers {
  readonly #log: Log;
  readonly #duties: SetDuties;

  constructor(log: Log, duties: SetDuties) {
    this.#log = log;
    this.#duties = duties;
  }

  /** Takes a question to its end. */
  answer(question: SetQuestion, exchange: Exchange): void {
    this.#answer(question, exchange).catch((error: unknown) => this.#fail(exchange, error));
  }

  async #answer(question: SetQuestion, exchange: Exchange): Promise<void> {
    if (question.ask === 'bytes') return this.#bytes(question, exchange);
    const ok = await this.#done(question, exchange);
    exchange.send(encode({ ok: ok ?? null }), true);
  }

  async #done(question: SetQuestion, exchange: Exchange): Promise<unknown> {
    const { kept } = this.#duties;
    switch (question.ask) {
      case 'open':
        return this.#duties.openCopy(question.setId, question.copyId);
      case 'has':
        return this.#duties.hasCopy(question.setId, question.copyId);
      case 'change':
        return this.#change(question, exchange);
      case 'keys':
        return kept.keys(question.after);
      case 'newest':
        return kept.newest(question.chain, question.key);
      case 'under':
        return kept.under(question.chain, question.prefix, question.after);
      case 'flush':
        return kept.flush(question.chain, question, exchange.signal);
      case 'knows':
        return this.#duties.knows(question.incarnation, question.writeMode);
      case 'usage':
        return kept.usage();
      case 'upload':
        return this.#duties.uploads.answer(question);
      case 'uploads':
        return kept.uploadsOf(question.chain, question.after);
      case 'discard':
        return kept.discard(question.chain);
      default:
        throw new SetRefusal('it does not know this question');
    }
  }

  async #change(question: ChangeCopy, exchange: Exchange): Promise<void> {
    const copy = this.#duties.copy(question.copyId);
    if (!copy) throw new SetRefusal('it does not have this copy');
    if (!question.streamed) {
      const bodies = question.changes.length > 0 ? await exchange.receive() : Buffer.alloc(0);
      await copy.change(question, bodies);
      return;
    }
    exchange.body.open(windowBytes);
    await copy.changeStreamed(question, exchange.body, async () => decode<BodyEnd>(await exchange.receive()));
  }

  async #bytes({ setId, chain, key, stamp, start, end }: AskBytes, exchange: Exchange): Promise<void> {
    const bytes = this.#duties.kept.bytes(setId, chain, key, stamp, { start, end });
    // Before the first word it can still be said that there is nothing.
    let next = await bytes.next();
    exchange.send(encode({ ok: null }));
    try {
      for (; !next.done; next = await bytes.next()) if (!(await exchange.write(next.value))) return;
      exchange.endBody();
    } catch {
      // Its head is out; who reads it asks elsewhere.
      exchange.cancel(resetReasons.cancelled);
    } finally {
      await bytes.return(undefined);
    }
  }

  #fail(exchange: Exchange, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const isFenced = error instanceof SetRefusal && error.isFenced;
    if (!(error instanceof SetRefusal || error instanceof PeerError))
      this.#log.warn({ err: error }, 'a question about pending writes failed');
    this.#send(exchange, { refused: message, isFenced });
  }

  #send(exchange: Exchange, answer: SetAnswer<never>): void {
    exchange.send(encode(answer), true);
  }
}
