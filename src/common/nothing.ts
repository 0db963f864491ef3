/** A sequence that is over at once. */
export async function* nothing(): AsyncGenerator<never> {}
