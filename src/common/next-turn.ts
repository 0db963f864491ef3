/** Lets everything else that waits on the event loop have its turn, in the middle of long work. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
