/** Objects that cases read, stored once a run: at the storage, and where nginx finds them. */
export interface Dataset {
  readonly bucket: string;
  readonly sizeBytes: number;
  readonly keys: number;
}

export type Operation = 'get' | 'range' | 'put' | 'list';

/**
 * Where what is read lies: `hot`: as the settings have it after it was read before (pages up to 1 MiB in memory); `memory`: in memory, which
 * is large enough; `disk`: in the disk store, with next to no memory for pages; `cold`: at the storage alone, since each key, or page of a range case, is asked for once.
 */
export type State = 'hot' | 'memory' | 'disk' | 'cold';

export interface Case {
  readonly name: string;
  /** What it was called before. */
  readonly alias?: string;
  readonly dataset: Dataset;
  readonly operation: Operation;
  readonly state: State;
  readonly signing: 'header' | 'presigned';
  /** Forebay's I/O threads. */
  readonly threads: 1 | 2;
  readonly connections: number;
  /** Of a range request. */
  readonly rangeBytes?: number;
  /** Writes are acknowledged before their storage has them, and are brought there after the case. */
  readonly isBack?: true;
}

const kib = 1024;
const mib = 1024 * kib;

/** Forebay's default: what one cold range fills. */
export const pageBytes = 4 * mib;

interface Size {
  readonly label: string;
  readonly sizeBytes: number;
  readonly connections: number;
  readonly hotKeys: number;
  readonly coldKeys: number;
}

const sizes: readonly Size[] = [
  { label: '4k', sizeBytes: 4 * kib, connections: 16, hotKeys: 1000, coldKeys: 3000 },
  { label: '64k', sizeBytes: 64 * kib, connections: 16, hotKeys: 128, coldKeys: 1500 },
  { label: '1m', sizeBytes: mib, connections: 4, hotKeys: 16, coldKeys: 120 },
  { label: '64m', sizeBytes: 64 * mib, connections: 2, hotKeys: 2, coldKeys: 12 },
];

const plain = { operation: 'get', signing: 'header', threads: 1 } as const;

function hotSet({ label, sizeBytes, hotKeys }: Size): Dataset {
  return { bucket: `bench-hot-${label}`, sizeBytes, keys: hotKeys };
}

function hotCases(size: Size): Case[] {
  const { label, connections } = size;
  const all: Case[] = [];
  for (const threads of [1, 2] as const) {
    for (const signing of ['header', 'presigned'] as const) {
      const words = [`hot-${label}`];
      if (signing === 'presigned') words.push('presigned');
      if (threads === 2) words.push('2threads');
      const alias = words.length === 1 && label !== '64k' ? `get-${label}-hot` : undefined;
      const name = words.join('-');
      const dataset = hotSet(size);
      // Each thread has as many as the one has: what a request costs depends on how many a thread finds when it wakes.
      const asked = { connections: connections * threads, signing, threads };
      all.push({ name, alias, dataset, operation: 'get', state: 'hot', ...asked });
    }
  }
  return all;
}

function coldCase({ label, sizeBytes, coldKeys, connections }: Size): Case {
  const dataset = { bucket: `bench-cold-${label}`, sizeBytes, keys: coldKeys };
  const alias = label === '4k' || label === '64m' ? `get-${label}-miss` : undefined;
  // One connection shows what a single miss streams at.
  const cold = label === '64m' ? 1 : Math.min(connections, 8);
  return { name: `cold-${label}`, alias, dataset, ...plain, state: 'cold', connections: cold };
}

/** The small ones are far more than fit into the memory that `disk` leaves. */
function diskCase(size: Size): Case {
  const { label, sizeBytes, connections } = size;
  const dataset = label === '4k' ? { bucket: 'bench-disk-4k', sizeBytes, keys: 4000 } : hotSet(size);
  return { name: `disk-${label}`, dataset, ...plain, state: 'disk', connections };
}

/** What the default has no memory for. */
function memoryCase(size: Size): Case {
  const { label, connections } = size;
  return { name: `memory-${label}`, dataset: hotSet(size), ...plain, state: 'memory', connections };
}

const oneGibibyte = { bucket: 'bench-range-1g', sizeBytes: 1024 * mib, keys: 1 };
const ranges = { dataset: oneGibibyte, ...plain, operation: 'range', rangeBytes: 64 * kib } as const;
const writes = { ...plain, state: 'hot' } as const;

export const cases: readonly Case[] = [
  ...sizes.flatMap(hotCases),
  ...sizes.map(coldCase),
  ...sizes.filter(({ label }) => label !== '64k').map(diskCase),
  ...sizes.filter(({ label }) => label === '64m').map(memoryCase),
  { name: 'range-64k-cold', ...ranges, state: 'cold', connections: 4 },
  { name: 'range-64k-disk', alias: 'range-64k-hot', ...ranges, state: 'disk', connections: 8 },
  {
    name: 'put-4k',
    dataset: { bucket: 'bench-put-4k', sizeBytes: 4 * kib, keys: 200 },
    ...writes,
    operation: 'put',
    connections: 8,
  },
  {
    name: 'put-4k-back',
    dataset: { bucket: 'bench-put-4k-back', sizeBytes: 4 * kib, keys: 200 },
    ...writes,
    operation: 'put',
    connections: 8,
    isBack: true,
  },
  {
    name: 'put-1m',
    dataset: { bucket: 'bench-put-1m', sizeBytes: mib, keys: 16 },
    ...writes,
    operation: 'put',
    connections: 4,
  },
  {
    name: 'list-1000',
    dataset: { bucket: 'bench-list-1000', sizeBytes: 16, keys: 1000 },
    ...writes,
    operation: 'list',
    connections: 4,
  },
];

/** One of each kind, for a look within a minute or two. */
export const quickNames = 'hot-4k,hot-1m,hot-4k-presigned,cold-4k,disk-4k,put-4k,list-1000';

/** Not one of `cases`: `restart.ts` does it. Only by name, since it takes minutes. */
export const restartName = 'restart-1m';

/** Nor this one, which takes a cluster: `bench/proxied` does it. */
export const proxiedName = 'proxied-4k';

/**
 * The cases that a comma list names, each by its name, by what it was called before, or by how its name begins. Without a list all of
 * them. Undefined if a part names none.
 */
export function chooseCases(list: string | undefined): readonly Case[] | undefined {
  if (list === undefined) return cases;
  const chosen = new Set<Case>();
  for (const part of list.split(',').filter((name) => name !== restartName && name !== proxiedName)) {
    const exact = cases.filter(({ name, alias }) => name === part || alias === part);
    const found = exact.length > 0 ? exact : cases.filter(({ name }) => name.startsWith(part));
    if (found.length === 0 || part === '') return undefined;
    for (const one of found) chosen.add(one);
  }
  return cases.filter((one) => chosen.has(one));
}

/** How many things a cold case has that are asked for once: keys, or pages. */
export function onceOnly({ operation, dataset }: Case): number {
  return operation === 'range' ? Math.floor(dataset.sizeBytes / pageBytes) : dataset.keys;
}

export function keyOf(index: number): string {
  return `object-${String(index).padStart(5, '0')}`;
}

/** Bytes `[start, end)` of an object: its key again and again, so that a mixed-up answer would differ. */
export function bytesOf(index: number, start: number, end: number): Buffer {
  const word = `${keyOf(index)} `;
  const phase = start % word.length;
  return Buffer.alloc(end - start, word.slice(phase) + word.slice(0, phase));
}
