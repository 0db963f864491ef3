import type { PageRead } from '../../worker/reader.ts';

/** The bytes of a read one by one; what was lent is given back. */
export async function* chunksOf({ body, giveBack }: PageRead): AsyncGenerator<Buffer> {
  try {
    if (Buffer.isBuffer(body)) yield body;
    else if ('toBuffer' in body) yield body.toBuffer();
    else yield* body;
  } finally {
    giveBack?.();
  }
}

/** Ends a read that nobody reads. */
export async function dropRead(read: PageRead): Promise<void> {
  const chunks = chunksOf(read);
  // What was never begun would free nothing when it is ended.
  await chunks.next().catch(() => undefined);
  await chunks.return(undefined);
}
