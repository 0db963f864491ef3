import type { ObjectMeta, Tag, UploadBody } from '../common/object-meta.ts';
import type { PutOptions } from '../ufs/backend.ts';
import { collectBody } from '../ufs/body-file.ts';
import { UfsError } from '../ufs/errors.ts';
import { withUfsErrors } from '../ufs/file-system.ts';
import { keptAccess } from '../ufs/kept-access.ts';
import { PlainBody } from '../ufs/plain-body.ts';
import { keptTags, tagCountOf } from '../ufs/tags.ts';
import { checkSignal, fullChecksum, needChecksum } from '../ufs/write-rules.ts';
import type { Journal } from './journal.ts';

/** Bodies up to this size lie in the journal's records. */
const inlineBytes = 64 * 1024;

/** A body that was taken whole and found right, and what is to be said of its object. */
export interface Spooled {
  readonly meta: Omit<ObjectMeta, 'generation' | 'generationSettled' | 'lastModifiedMs'>;
  readonly tags?: readonly Tag[];
  /** Where it is small. */
  readonly bytes?: Buffer;
  /** Otherwise the name of its file, which is durable. */
  readonly file?: string;
  /** The file is the journal's to see to from now on. */
  keep(): void;
  /** Removes the file, unless it is kept. */
  discard(): Promise<void>;
}

/** Takes bodies: small ones into memory, others into files beside the journal. */
export class Spool {
  readonly #journal: Journal;
  readonly #uri: string;

  constructor(journal: Journal, uri: string) {
    this.#journal = journal;
    this.#uri = uri;
  }

  /** Rejects with what the body rejects with; leaves nothing then. Kinds: cancelled, io, no-space. */
  async take(key: string, body: UploadBody, options: PutOptions): Promise<Spooled> {
    body.need('MD5');
    const algorithm = needChecksum(body);
    const check = () => checkSignal(options.signal, this.#uri, key);
    const { sizeBytes } = body;
    const isSmall = sizeBytes <= inlineBytes;
    const bytes = isSmall ? await collectBody(body, check) : undefined;
    const file = isSmall
      ? undefined
      : await withUfsErrors(this.#uri, key, () => this.#journal.bodies.write(body, check));
    let isKept = false;
    const discard = async () => {
      if (file && !isKept) await this.#journal.bodies.remove(file.name);
    };
    if ((bytes?.length ?? file?.sizeBytes) !== sizeBytes) {
      await discard();
      const message = 'the body has another length than it said';
      throw new UfsError('io', message, { backend: this.#uri, key });
    }
    const { headers, userMetadata, tags, access } = options;
    return {
      meta: {
        sizeBytes,
        etag: body.digest('MD5').toString('hex'),
        ...fullChecksum(body, algorithm),
        headers,
        userMetadata,
        ...tagCountOf(tags),
        ...keptAccess(access),
      },
      ...keptTags(tags),
      bytes,
      file: file?.name,
      keep: () => {
        isKept = true;
      },
      discard,
    };
  }
}

/** The body once more, for a storage. */
export function spooledBody(journal: Journal, spooled: Spooled, uri: string, key: string): PlainBody {
  const { meta, bytes, file } = spooled;
  const { sizeBytes } = meta;
  const range = { start: 0, end: sizeBytes };
  async function* chunks(): AsyncGenerator<Buffer> {
    if (bytes) yield bytes;
    else if (file) yield* journal.bodies.read(file, sizeBytes, range, () => checkSignal(undefined, uri, key));
  }
  const body = new PlainBody(chunks(), sizeBytes);
  for (const name of Object.keys(meta.checksums ?? {}) as (keyof NonNullable<typeof meta.checksums>)[]) {
    body.need(name);
  }
  return body;
}
