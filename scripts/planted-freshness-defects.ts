// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are pieces of source code
import type { PlantedDefect } from './planted-defects.ts';

const campaign = ['test/gateway/freshness-s3'];
const control = ['test/gateway/cache-control'];
const late = ['test/gateway/late-writes'];
const entries = 'src/worker/metadata-entries.ts';
const cache = 'src/worker/metadata-cache.ts';

/** What could break unseen between what a storage holds and what readers are told of it. */
export const plantedFreshnessDefects: readonly PlantedDefect[] = [
  {
    name: 'freshness: a fill takes whatever version there is',
    file: 'src/ufs/s3-read.ts',
    right: 'const version = this.#versionOf(key, meta);\n    const permit',
    wrong: 'const version = this.#versionOf(key, await this.head(key));\n    const permit',
    foundBy: campaign,
  },
  {
    name: 'freshness: a fill goes without If-Match',
    file: 'src/ufs/s3-read.ts',
    right: "headers: isWeak(rawEtag) ? {} : { 'if-match': rawEtag },",
    wrong: 'headers: {},',
    foundBy: campaign,
  },
  {
    name: 'freshness: bytes that come with a GET are given under metadata that is asked for then',
    file: 'src/ufs/s3-read.ts',
    right: 'this.#openedObject(key, this.#metaOf(key, meta), {',
    wrong: 'this.#openedObject(key, await this.head(key), {',
    foundBy: campaign,
  },
  {
    name: 'freshness: a version that moved is followed by another one without its bytes',
    file: cache,
    right: 'together || isNew ? read : undefined',
    wrong: 'isNew ? read : undefined',
    foundBy: ['test/gateway/restless-keys', 'test/gateway/routing/routed-reads'],
  },
  {
    name: 'freshness: where pages are held a version that moved is followed by another one without its bytes',
    file: 'src/gateway/object-reads.ts',
    right: 'if (isVain && !together) return',
    wrong: 'if (isVain) return',
    foundBy: ['test/gateway/restless-keys'],
  },
  {
    name: 'freshness: bytes that came with the metadata are left for a fill that came too late',
    file: 'src/worker/page-reader.ts',
    right: 'return target.opened ? read.catch(',
    wrong: 'return !target ? read.catch(',
    foundBy: ['test/worker/page-reader-faults'],
  },
  {
    name: 'freshness: one who came after a change joins a GET that was sent before',
    file: cache,
    right: 'if (running && early && running.epoch === state.epoch && !running',
    wrong: 'if (running && early && !running',
    foundBy: ['test/gateway/cold-get', 'test/worker/metadata-races'],
  },
  {
    name: 'freshness: a lease does not end',
    file: entries,
    right: 'return limitMs === Number.POSITIVE_INFINITY || ageMs(entry.moment, this.clock) < limitMs;',
    wrong: 'return limitMs > 0;',
    foundBy: campaign,
  },
  {
    name: 'freshness: always is a short lease',
    file: 'src/worker/metadata-age.ts',
    right: "return freshness.kind === 'lease' ? freshness.ms : 0;",
    wrong: "return freshness.kind === 'lease' ? freshness.ms : 50;",
    foundBy: ['test/gateway/freshness-s3', 'test/gateway/freshness-file'],
  },
  {
    name: 'freshness: a 404 is kept beyond the lease',
    file: entries,
    right: 'const limitMs = Math.min(limitOf(target), ',
    wrong: 'const limitMs = Math.min(entry.known.meta ? limitOf(target) : 5_000, ',
    foundBy: campaign,
  },
  {
    name: 'freshness: a 403 of the storage is remembered as absence',
    file: cache,
    right: "const isAbsent = error instanceof UfsError && error.kind === 'not-found';",
    wrong: "const isAbsent = error instanceof UfsError && ['not-found', 'denied'].includes(error.kind);",
    foundBy: campaign,
  },
  {
    name: 'freshness: no-cache is answered from the cache',
    file: 'src/gateway/object-reads.ts',
    right: 'return options.revalidate ? undefined : this.#metadata.peek(',
    wrong: 'return this.#metadata.peek(',
    foundBy: [...control, ...campaign],
  },
  {
    name: 'freshness: max-age is not looked at',
    file: entries,
    right: 'entry.known.meta ? maxAgeMs : Math.min(maxAgeMs, maxAbsentMs)',
    wrong: 'entry.known.meta ? Number.POSITIVE_INFINITY : maxAbsentMs',
    foundBy: control,
  },
  {
    name: 'freshness: no-store keeps metadata',
    file: cache,
    right: 'if (!noStore) flight.mayKeep = true;',
    wrong: 'flight.mayKeep = noStore !== null;',
    foundBy: control,
  },
  {
    name: 'freshness: no-store keeps pages',
    file: 'src/gateway/object-reads.ts',
    right: "return noStore ? 'bypass' : 'fill';",
    wrong: "return noStore === null ? 'bypass' : 'fill';",
    foundBy: control,
  },
  {
    name: 'freshness: only-if-cached asks the storage for pages',
    file: 'src/worker/page-reader.ts',
    right: "if (missing === 'refuse') throw",
    wrong: "if (missing === 'refuse' && range.start < 0) throw",
    foundBy: control,
  },
  {
    name: 'freshness: an answer claims to have been validated when it is given',
    file: 'src/s3api/headers.ts',
    right: 'return new Date(validatedMs).toISOString();',
    wrong: 'return new Date(Math.max(validatedMs, Date.now())).toISOString();',
    foundBy: control,
  },
  {
    name: 'freshness: a PUT does not carry the version that it replaces',
    file: 'src/ufs/s3-replace.ts',
    right: 'conditionOf(present) ?? condition, send)',
    wrong: 'condition, send)',
    foundBy: late,
  },
  {
    name: 'freshness: a change without an answer is forgotten',
    file: 'src/ufs/s3-replace.ts',
    right: 'if (error instanceof UfsError && error.unresolved) this',
    wrong: 'if (error instanceof UfsError && error.unresolved && key === null) this',
    foundBy: late,
  },
  {
    name: 'freshness: a later change does not wait for one without an answer',
    file: 'src/ufs/s3-replace.ts',
    right: 'await this.#unresolved.settled(key, signal);',
    wrong: '',
    foundBy: late,
  },
  {
    name: 'freshness: what a late change may replace is kept',
    file: 'src/ufs/s3-read.ts',
    right: 'return mayStillChange ? { ...meta, generationSettled: false } : meta;',
    wrong: 'return mayStillChange ? { ...meta } : meta;',
    foundBy: late,
  },
  {
    name: 'freshness: the absence that a late change may end is kept',
    file: cache,
    right: 'if (flight.mayKeep && !error.unresolved) this',
    wrong: 'if (flight.mayKeep) this',
    foundBy: late,
  },
];
