/** What was opened and has to be closed again, the last first, also when a later step fails. */
export class Opened {
  readonly #closers: (() => Promise<void>)[] = [];

  add<T>(part: T, close: (part: T) => Promise<void> | void): T {
    this.#closers.push(async () => close(part));
    return part;
  }

  async close(): Promise<void> {
    for (const close of this.#closers.toReversed()) await close();
    this.#closers.length = 0;
  }
}
