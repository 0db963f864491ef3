import { compareUtf8 } from '../common/utf8-order.ts';
import { UfsError } from './errors.ts';

/** S3 may answer with nothing and yet more to come, over what was deleted; a server that does nothing else is stuck. */
const maxEmptyPages = 100;

/**
 * Watches that each page of a list leads on: one that ended early would hide objects, and one that goes in a circle would
 * never end. What a method throws is of kind `io`.
 */
export class ListProgress {
  readonly #backend: string;
  readonly #operation: string;
  readonly #prefix: string;
  #mark: string | undefined;
  #lastKey: string | undefined;
  #emptyPages = 0;

  /** `mark`: where the list begins; see `next`. */
  constructor(backend: string, operation: string, prefix: string, mark?: string) {
    this.#backend = backend;
    this.#operation = operation;
    this.#prefix = prefix;
    this.#mark = mark;
  }

  /** The mark to go on with, after a page of `count` entries that says that more follows. `lastKey`: where a page has each key once. */
  next(mark: string | undefined, count: number, lastKey?: string): string {
    if (!mark)
      throw this.#error('the answer says that more follows, but not where: it is not one of an S3 server');
    if (mark === this.#mark) throw this.#error('the backend gives the same page of a list again');
    this.#emptyPages = count === 0 ? this.#emptyPages + 1 : 0;
    if (this.#emptyPages > maxEmptyPages) throw this.#error('the pages of a list stay empty');
    if (lastKey !== undefined) {
      const stands = this.#lastKey !== undefined && compareUtf8(lastKey, this.#lastKey) <= 0;
      if (stands) throw this.#error('a page of a list has nothing behind the one before');
      this.#lastKey = lastKey;
    }
    this.#mark = mark;
    return mark;
  }

  #error(message: string): UfsError {
    const details = { backend: this.#backend, key: this.#prefix, code: 'NoS3Answer', retryable: false };
    return new UfsError('io', `${this.#operation}: ${message}`, details);
  }
}
