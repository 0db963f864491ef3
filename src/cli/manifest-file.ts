import { readFile, stat } from 'node:fs/promises';
import { compareUtf8 } from '../common/utf8-order.ts';
import { CommandError, UsageError } from './errors.ts';

/** Keys of one bucket, in UTF-8 byte order, each once. */
export interface ManifestFile {
  readonly bucket: string;
  readonly keys: readonly string[];
}

const maxBytes = 64 * 1024 * 1024;
/** What one request takes: keys, and characters of them; some become several bytes in JSON. */
const maxKeysAtOnce = 500;
const maxCharactersAtOnce = 16 * 1024;

/** A file with a line `s3://BUCKET/KEY` for each object, or `KEY` where the bucket is given. Rejects with `CommandError` and `UsageError`. */
export async function readManifest(path: string, givenBucket: string | undefined): Promise<ManifestFile> {
  const lines = (await textOf(path)).split(/\r?\n/);
  let bucket = givenBucket;
  const keys = new Set<string>();
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    const match = /^s3:\/\/([^/]+)\/(.+)$/s.exec(line);
    bucket ??= match?.[1];
    const key = match?.[2] ?? (givenBucket !== undefined && !line.startsWith('s3://') ? line : undefined);
    if (key === undefined)
      throw new UsageError(
        `line ${index + 1} of ${path} is no s3://BUCKET/KEY: ${JSON.stringify(line.slice(0, 100))}`,
      );
    if (match && match[1] !== bucket)
      throw new UsageError(
        `line ${index + 1} of ${path} is of another bucket than ${bucket}: a job is about one`,
      );
    keys.add(key);
  }
  if (bucket === undefined || keys.size === 0) throw new UsageError(`${path} names no object`);
  return { bucket, keys: [...keys].sort(compareUtf8) };
}

/** In pieces that one request takes. */
export function* piecesOf(keys: readonly string[]): Iterable<readonly string[]> {
  let piece: string[] = [];
  let characters = 0;
  for (const key of keys) {
    if (
      piece.length === maxKeysAtOnce ||
      (piece.length > 0 && characters + key.length > maxCharactersAtOnce)
    ) {
      yield piece;
      piece = [];
      characters = 0;
    }
    piece.push(key);
    characters += key.length;
  }
  if (piece.length > 0) yield piece;
}

async function textOf(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > maxBytes) throw new CommandError(`${path} is larger than ${maxBytes / 1024 / 1024} MiB`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`cannot read ${path} (${(error as NodeJS.ErrnoException).code ?? error})`);
  }
}
