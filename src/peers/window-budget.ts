/** What a body may have under way at once while there is memory, and when there is none. */
const usualBytes = 256 * 1024;
const leastBytes = 16 * 1024;

/** Memory for bytes that peers have sent and nobody has taken yet: over it each body still has a window, but a small one. */
export class WindowBudget {
  private leftBytes: number;

  constructor(totalBytes: number) {
    this.leftBytes = totalBytes;
  }

  /** A window for a body that has at most `bodyBytes`; to be given back when the body is done. */
  take(bodyBytes: number = usualBytes): number {
    const wanted = Math.max(leastBytes, Math.min(usualBytes, bodyBytes));
    const window = wanted <= this.leftBytes ? wanted : leastBytes;
    this.leftBytes -= window;
    return window;
  }

  giveBack(window: number): void {
    this.leftBytes += window;
  }
}
