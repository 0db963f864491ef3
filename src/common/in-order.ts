/** One that waits for the first and then for the second, unless the first rejects. */
export function inOrder(first: () => Promise<void>, second: () => Promise<void>): () => Promise<void> {
  return async () => {
    await first();
    await second();
  };
}
