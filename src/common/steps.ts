import { nextTurn } from './next-turn.ts';

/** Long work that stops between its steps, so that others may have their turn in between. */
export type Steps<T> = Generator<void, T>;

/** Does all of it now. */
export function allAtOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Lets everything else on the event loop have its turn after each step. */
export async function inTurns<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await nextTurn();
  }
}
