/** Looked at some hundred times a second: a minute of a machine that does nothing else, longer on a busy one. Time that the process stood still does not count. */
const maxLooks = 6_000;

/** Resolves when it holds; rejects when it has not come about for very long. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let looks = 0; !(await holds()); looks++) {
    if (looks === maxLooks) throw new Error('it does not come about');
    await new Promise((done) => setTimeout(done, 10));
  }
}
