import type { ReadOptions } from '../s3api/service.ts';
import type { LookUpOptions } from '../worker/reader.ts';

type Changes = Pick<LookUpOptions, 'revalidate' | 'read' | 'together'>;

/**
 * The options of a read that has to wait, which may be more than once. The signal is made when somebody asks for it: what comes from another
 * node in one piece needs none. A spread leaves it behind; `with` takes it along.
 */
export class LaterOptions implements ReadOptions, LookUpOptions {
  readonly gate: ReadOptions['gate'];
  readonly versionId: string | undefined;
  readonly partNumber: number | undefined;
  readonly revalidate: boolean | undefined;
  readonly maxAgeMs: number | undefined;
  readonly noStore: boolean | undefined;
  readonly onlyIfCached: boolean | undefined;
  readonly checksums: boolean | undefined;
  readonly read: ReadOptions['read'];
  readonly together: boolean | undefined;
  readonly #asked: ReadOptions;

  constructor(asked: ReadOptions, { revalidate, read, together }: Changes) {
    this.gate = asked.gate;
    this.versionId = asked.versionId;
    this.partNumber = asked.partNumber;
    this.revalidate = revalidate;
    this.maxAgeMs = asked.maxAgeMs;
    this.noStore = asked.noStore;
    this.onlyIfCached = asked.onlyIfCached;
    this.checksums = asked.checksums;
    this.read = read;
    this.together = together;
    this.#asked = asked;
  }

  static of(asked: ReadOptions): LaterOptions {
    return new LaterOptions(asked, asked);
  }

  get signal(): AbortSignal | undefined {
    return this.#asked.signal;
  }

  /** The same with other values of these. */
  with({ revalidate = this.revalidate, read, together = this.together }: Changes): LaterOptions {
    return new LaterOptions(this.#asked, { revalidate, read, together });
  }
}
