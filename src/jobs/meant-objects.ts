import { matchesWildcard } from '../s3api/policy/wildcard.ts';
import type { JobObjects, ObjectList } from './job-objects.ts';
import type { JobRecord } from './job-record.ts';
import type { Manifests } from './manifests.ts';

/** Lists of the storage that are read for one answer at most, where hardly any key is meant. */
const maxPages = 10;
/** Of keys whose objects' sizes are not known: so many are one node's work. */
const unknownAtOnce = 100;

/** The objects that a job is about, or whatever else it comes to one by one. */
export class MeantObjects {
  readonly #objects: JobObjects;
  readonly #manifests: Manifests;

  constructor(objects: JobObjects, manifests: Manifests) {
    this.#objects = objects;
    this.#manifests = manifests;
  }

  /** Those that come after a key, in UTF-8 byte order; about `limit`, at most twice as many. */
  async list(
    job: JobRecord,
    after: string | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<ObjectList> {
    const { kind, manifest, pattern } = job;
    if (kind === 'scrub') return this.#objects.regions(after, limit);
    if (kind === 'sync') return this.#matching(pattern, this.#objects.known(job, after, limit));
    if (manifest) return this.#manifests.after(manifest, after, Math.min(limit, unknownAtOnce));
    if (pattern === undefined) return this.#objects.list(job, after, limit, signal);
    let found: ObjectList = { objects: [], goesOn: true, through: after };
    for (let page = 0; page < maxPages && found.goesOn && found.objects.length < limit; page++) {
      const next = this.#matching(pattern, await this.#objects.list(job, found.through, limit, signal));
      found = {
        ...next,
        through: next.through ?? found.through,
        objects: [...found.objects, ...next.objects],
      };
    }
    return found;
  }

  #matching(pattern: string | undefined, { objects, goesOn }: ObjectList): ObjectList {
    if (pattern === undefined) return { objects, goesOn };
    const meant = objects.filter(({ key }) => matchesWildcard(pattern, key));
    return { objects: meant, goesOn, through: objects.at(-1)?.key };
  }
}
