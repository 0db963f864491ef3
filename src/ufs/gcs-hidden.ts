import type { Random } from '../common/random.ts';
import { mapBounded } from './bounded.ts';
import { orAbsent, UfsError } from './errors.ts';
import { type GcsConnection, type GcsRequest, jsonOf } from './gcs-connection.ts';
import { objectPath, objectsPath } from './gcs-names.ts';
import { type GcsObject, objectFields } from './gcs-object.ts';
import { type GcsPlace, hiddenPrefix } from './gcs-place.ts';
import type { GcsUploader } from './gcs-upload.ts';
import { ListProgress } from './s3-list-progress.ts';

interface ObjectsPage {
  readonly items?: readonly GcsObject[];
  readonly prefixes?: readonly string[];
  readonly nextPageToken?: string;
}

/** Deletions at once. */
const atOnce = 16;

/** What lies below the hidden prefix: uploads, their parts, and bodies on their way. Names are given from the mount's own prefix on. */
export class GcsHidden {
  readonly #random: Random;
  readonly #connection: GcsConnection;
  readonly #place: GcsPlace;
  readonly #uploader: GcsUploader;
  readonly #removing = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor(random: Random, connection: GcsConnection, place: GcsPlace, uploader: GcsUploader) {
    this.#random = random;
    this.#connection = connection;
    this.#place = place;
    this.#uploader = uploader;
  }

  /** A name that nobody has had before. */
  stageName(): string {
    return `${hiddenPrefix}staged/${this.#random.uuid()}`;
  }

  async writeJson(key: string, name: string, value: object, signal: AbortSignal | undefined): Promise<void> {
    const call = { operation: 'objects.insert', key, signal };
    const resource = { contentType: 'application/json' };
    const bytes = Buffer.from(JSON.stringify(value));
    await this.#uploader.insert({ call, key: name, resource, expected: 'absent' }, bytes);
  }

  /** Undefined for what is not there. */
  async readJson<Value>(
    key: string | undefined,
    name: string,
    signal: AbortSignal | undefined,
  ): Promise<Value | undefined> {
    const path = objectPath(this.#place, name);
    const call = { operation: 'objects.get', key, signal } as const;
    const request: GcsRequest = { ...call, method: 'GET', path, parameters: { alt: 'media' } };
    const answer = await orAbsent(this.#connection.read(request));
    return answer && jsonOf<Value>(answer, request, this.#place.uri);
  }

  /** The objects whose names begin so, in order, those from `from` on; all pages of them. */
  async objects(
    prefix: string,
    { from, signal }: { readonly from?: string; readonly signal?: AbortSignal } = {},
  ): Promise<GcsObject[]> {
    const startOffset = from === undefined ? undefined : this.#place.nameOf(from);
    const pages = await this.#pages({ prefix: this.#place.nameOf(prefix), startOffset }, signal);
    return pages.flatMap(({ items = [] }) => items);
  }

  /** What stands between `prefix` and the next slash, of all names that begin so. */
  async folders(prefix: string, signal: AbortSignal | undefined): Promise<string[]> {
    const whole = this.#place.nameOf(prefix);
    const pages = await this.#pages({ prefix: whole, delimiter: '/' }, signal);
    return pages.flatMap(({ prefixes = [] }) => prefixes.map((name) => name.slice(whole.length, -1)));
  }

  /** Of that generation if one is given; whether it was there. */
  async remove(name: string, generation?: string, signal?: AbortSignal): Promise<boolean> {
    const call = { operation: 'objects.delete', key: name, signal } as const;
    const path = objectPath(this.#place, name);
    try {
      const parameters = { ifGenerationMatch: generation };
      await this.#connection.change({ ...call, method: 'DELETE', path, parameters });
      return true;
    } catch (error) {
      const gone = error instanceof UfsError && ['not-found', 'precondition-failed'].includes(error.kind);
      if (gone) return false;
      throw error;
    }
  }

  /**
   * Removes all that begins so, after the call that no longer needs it has ended: thousands of parts take longer than a client waits.
   * What is left by a failure is found by the search for what has lain still too long.
   */
  removeLater(prefix: string): void {
    const work = this.removeAll(prefix, this.#closing.signal)
      .catch(() => undefined)
      .then(() => void this.#removing.delete(work));
    this.#removing.add(work);
  }

  async removeAll(prefix: string, signal?: AbortSignal): Promise<void> {
    const objects = await this.objects(prefix, { signal });
    await mapBounded(objects, atOnce, async ({ name, generation }) => {
      const key = this.#place.keyOf(name);
      if (key?.startsWith(hiddenPrefix)) await this.remove(key, generation, signal);
    });
  }

  /** Removes nothing more. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.idle();
  }

  /** Resolves when nothing is being removed any more. */
  async idle(): Promise<void> {
    while (this.#removing.size > 0) await Promise.all(this.#removing);
  }

  async #pages(
    where: Readonly<Record<string, string | undefined>>,
    signal: AbortSignal | undefined,
  ): Promise<ObjectsPage[]> {
    const pages: ObjectsPage[] = [];
    const progress = new ListProgress(this.#place.uri, 'objects.list', where.prefix ?? '');
    let pageToken: string | undefined;
    do {
      const fields = `nextPageToken,prefixes,items(${objectFields})`;
      const request: GcsRequest = {
        operation: 'objects.list',
        signal,
        method: 'GET',
        path: objectsPath(this.#place),
        parameters: { ...where, pageToken, fields },
      };
      const page = jsonOf<ObjectsPage>(await this.#connection.read(request), request, this.#place.uri);
      pages.push(page);
      const count = (page.items?.length ?? 0) + (page.prefixes?.length ?? 0);
      pageToken = page.nextPageToken && progress.next(page.nextPageToken, count);
    } while (pageToken);
    return pages;
  }
}
