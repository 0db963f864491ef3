/** Those who wait for something to be otherwise, and those who are told of it. */
export class Changes<T> {
  private readonly listeners = new Set<(value: T) => void>();

  tell(value: T): void {
    for (const listener of [...this.listeners]) listener(value);
  }

  /** Returns what ends the telling. */
  listen(listener: (value: T) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Resolves with the next change; rejects with the signal's reason. */
  next(signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const onAbort = () => {
        end();
        reject(signal.reason);
      };
      const end = this.listen((value) => {
        signal.removeEventListener('abort', onAbort);
        end();
        resolve(value);
      });
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}
