/** Time as a dependency, so that tests can hold it still. */
export interface Clock {
  /** Wall-clock time, milliseconds since the Unix epoch. May jump. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start; never goes back. For durations and leases. */
  monotonicMs(): number;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Where this thread's monotonic time begins on the clock that all threads of the process share, milliseconds. */
export function monotonicOriginMs(): number {
  let originMs = Number.POSITIVE_INFINITY;
  // The thread may be held up between the two clocks, which only makes the difference larger.
  for (let i = 0; i < 20; i++) {
    const nowMs = performance.now();
    const [seconds, nanoseconds] = process.hrtime();
    originMs = Math.min(originMs, seconds * 1e3 + nanoseconds / 1e6 - nowMs);
  }
  return originMs;
}

/** The system's clock in a thread whose monotonic time is to be that of the thread with this origin. */
export function clockFrom(originMs: number): Clock {
  const shiftMs = monotonicOriginMs() - originMs;
  return { ...systemClock, monotonicMs: () => performance.now() + shiftMs };
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  // node:timers/promises makes an error with a stack for each sleep that is cut short, which requests end with.
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const cut = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', cut);
        resolve();
      }, ms).unref();
      signal?.addEventListener('abort', cut, { once: true });
    }),
};
