import { type ByteRange, rangeLength } from '../common/byte-range.ts';
import { wrongLength } from './fill-run.ts';
import type { ReadTarget } from './reader.ts';

/**
 * Bytes straight from the backend, past the cache. Rejects rather than end short. What is served is
 * for the caller to count.
 */
export async function* readBackend(
  target: ReadTarget,
  range: ByteRange,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  let missing = rangeLength(range);
  const { backend, path, meta } = target;
  const opened = target.opened?.take(meta.generation, range);
  try {
    const chunks = opened ? opened.read(range, { signal }) : backend.read(path, meta, range, { signal });
    for await (const chunk of chunks) {
      missing -= chunk.length;
      if (missing < 0) throw wrongLength(target, 'more');
      if (chunk.length > 0) yield chunk;
    }
  } finally {
    opened?.close();
  }
  if (missing > 0) throw wrongLength(target, 'fewer');
}

/** The same in one piece. */
export async function readBackendWhole(
  target: ReadTarget,
  range: ByteRange,
  signal?: AbortSignal,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of readBackend(target, range, signal)) chunks.push(chunk);
  const [first] = chunks;
  return chunks.length === 1 && first ? first : Buffer.concat(chunks);
}

/**
 * Waits for the first chunk, so that a version that moved rejects here, and gives an iterable of everything. `onChunk` sees
 * each chunk as it is handed out.
 */
export async function afterFirstChunk(
  chunks: AsyncGenerator<Buffer>,
  onChunk: (chunk: Buffer) => void,
  signal: AbortSignal | undefined,
): Promise<AsyncIterable<Buffer>> {
  const first = await chunks.next();
  // An answer that is dropped before anyone iterates over it frees the backend read through the signal.
  const end = () => void chunks.return(undefined).catch(() => undefined);
  signal?.addEventListener('abort', end, { once: true });
  async function* all() {
    try {
      for (let next = first; !next.done; next = await chunks.next()) {
        onChunk(next.value);
        yield next.value;
        signal?.throwIfAborted();
      }
    } finally {
      signal?.removeEventListener('abort', end);
      await chunks.return(undefined);
    }
  }
  return all();
}
