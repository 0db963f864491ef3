/**
 * Keeps the commit of a write and the deletion of its bucket apart, so that no object lands in a bucket that is gone.
 * Commits to one bucket run side by side; a deletion waits for those under way and holds off those to come.
 */
export class BucketGate {
  readonly #buckets = new Map<
    string,
    { commits: number; deletion: Promise<void> | undefined; idle: (() => void) | undefined }
  >();

  /** Waits for a deletion under way, then counts a commit until the returned function is called (once). */
  async enterCommit(bucket: string): Promise<() => void> {
    for (;;) {
      const deletion = this.#buckets.get(bucket)?.deletion;
      if (!deletion) break;
      await deletion;
    }
    const state = this.#state(bucket);
    state.commits++;
    return () => {
      state.commits--;
      if (state.commits > 0) return;
      state.idle?.();
      if (!state.deletion) this.#buckets.delete(bucket);
    };
  }

  /** Runs `deletion` alone: after the commits under way, before those that come later. */
  async deleteAlone<T>(bucket: string, deletion: () => Promise<T>): Promise<T> {
    while (this.#buckets.get(bucket)?.deletion) await this.#buckets.get(bucket)?.deletion;
    const state = this.#state(bucket);
    let done = () => {};
    state.deletion = new Promise((resolve) => {
      done = resolve;
    });
    try {
      if (state.commits > 0) {
        await new Promise<void>((resolve) => {
          state.idle = resolve;
        });
      }
      return await deletion();
    } finally {
      this.#buckets.delete(bucket);
      done();
    }
  }

  #state(bucket: string) {
    let state = this.#buckets.get(bucket);
    if (!state) {
      state = { commits: 0, deletion: undefined, idle: undefined };
      this.#buckets.set(bucket, state);
    }
    return state;
  }
}
