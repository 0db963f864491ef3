import { compareUtf8 } from '../common/utf8-order.ts';
import type { ListedPrefix } from './backend.ts';
import { mapBounded } from './bounded.ts';
import type { KeyCursor } from './grouping.ts';
import type { HdfsListing, HdfsStatus } from './hdfs-client.ts';
import { HdfsNames } from './hdfs-names.ts';
import { reservedName } from './tree-keys.ts';

/** A file, or a directory that was put as a folder marker. */
export interface FoundEntry {
  readonly key: string;
  readonly path: string;
  readonly status: HdfsStatus;
}

/** The directories that are walked. */
export interface HdfsFolders {
  /** Entries behind a name in the storage's order; none where there is no directory any more. */
  list(path: string, after: string | undefined): Promise<HdfsListing>;
  find(path: string): Promise<HdfsStatus | undefined>;
  /** Whether a directory was put as a folder marker. */
  isMarked(path: string, status: HdfsStatus): Promise<boolean>;
  /** Whether a file or a folder marker lies in it, or below, or it is one. */
  isOccupied(path: string, status: HdfsStatus): Promise<boolean>;
}

interface Frame {
  readonly path: string;
  /** What the keys of this directory begin with. */
  readonly key: string;
  readonly names: HdfsNames;
  /** Directories whose keys come behind those of names that begin like theirs: the last comes first. */
  readonly waiting: HdfsStatus[];
  ahead: HdfsStatus | undefined;
  /** The directory itself, if that is an object and still to be given. */
  marker: FoundEntry | undefined;
}

/** So many questions about directories at once. */
const atOnce = 8;

/** Walks nested directories in order of key; reads only those towards what is asked for, and holds a page of each. */
export class HdfsWalk implements KeyCursor<FoundEntry> {
  readonly #folders: HdfsFolders;
  readonly #root: string;
  readonly #prefix: string;
  readonly #foldsSlash: boolean;
  #stack: Frame[] = [];

  /** With `foldsSlash`, a directory behind the prefix is given as a common prefix instead of being walked. */
  constructor(folders: HdfsFolders, root: string, prefix: string, foldsSlash: boolean) {
    this.#folders = folders;
    this.#root = root;
    this.#prefix = prefix;
    this.#foldsSlash = foldsSlash;
  }

  async seek(from: string): Promise<FoundEntry | ListedPrefix | undefined> {
    // A directory that the walk has behind it is not read to its end.
    while (this.#stack.length > 0 && !from.startsWith((this.#stack.at(-1) as Frame).key)) this.#stack.pop();
    const top = this.#stack.at(-1);
    if (!top) await this.#push(this.#root, '', from, undefined);
    return this.#advance(from);
  }

  next(): Promise<FoundEntry | ListedPrefix | undefined> {
    return this.#advance('');
  }

  async #advance(from: string): Promise<FoundEntry | ListedPrefix | undefined> {
    let skipped = 0;
    for (let frame = this.#stack.at(-1); frame; frame = this.#stack.at(-1)) {
      const { marker } = frame;
      if (marker) {
        frame.marker = undefined;
        if (compareUtf8(marker.key, from) >= 0 && marker.key.startsWith(this.#prefix)) return marker;
        continue;
      }
      const status = await nextOf(frame);
      if (!status) {
        this.#stack.pop();
        continue;
      }
      const isFolder = status.type === 'DIRECTORY';
      const key = frame.key + textOf(status);
      if (compareUtf8(key, from) < 0 && !(isFolder && from.startsWith(key))) {
        // Beyond a few names it is quicker to look up where to go on.
        if (++skipped > 50 && from.startsWith(frame.key)) await this.#reopen(frame, from);
        continue;
      }
      const found = await this.#enter(frame, key, status, from);
      if (found !== 'on') return found;
    }
    return undefined;
  }

  async #enter(
    frame: Frame,
    key: string,
    status: HdfsStatus,
    from: string,
  ): Promise<FoundEntry | ListedPrefix | undefined | 'on'> {
    const path = `${frame.path === '/' ? '' : frame.path}/${status.pathSuffix}`;
    if (!key.startsWith(this.#prefix) && !(status.type === 'DIRECTORY' && this.#prefix.startsWith(key))) {
      // All that follows lies behind the prefix, if this does.
      return compareUtf8(key, this.#prefix) > 0 ? undefined : 'on';
    }
    if (status.type === 'FILE') return { key, path, status };
    if (this.#foldsSlash && key.indexOf('/', this.#prefix.length) >= 0) {
      return (await this.#folders.isOccupied(path, status)) ? { kind: 'prefix', key } : 'on';
    }
    await this.#push(path, key, from, status);
    return 'on';
  }

  async #push(path: string, key: string, from: string, status: HdfsStatus | undefined): Promise<void> {
    const isMarked = status !== undefined && (await this.#folders.isMarked(path, status));
    const marker = isMarked && status ? { key, path, status } : undefined;
    this.#stack.push(await this.#open(path, key, marker, from));
  }

  async #reopen(frame: Frame, from: string): Promise<void> {
    this.#stack.pop();
    this.#stack.push(await this.#open(frame.path, frame.key, undefined, from));
  }

  /** A directory from the first name that is, or may hold, a key at or behind `from` and with the prefix. */
  async #open(path: string, key: string, marker: FoundEntry | undefined, from: string): Promise<Frame> {
    const least = compareUtf8(from, this.#prefix) < 0 ? this.#prefix : from;
    const local = least.startsWith(key) ? least.slice(key.length) : '';
    const name = local.split('/', 1)[0] as string;
    const names = new HdfsNames((after) => this.#folders.list(path, after), name);
    // Directories before that name, whose keys come behind it: those whose name goes on in it with what comes before a slash.
    const earlier = prefixesBeforeSlash(name).map((one) => `${path === '/' ? '' : path}/${one}`);
    const found = await mapBounded(earlier, atOnce, (one) => this.#folders.find(one));
    const waiting = found.flatMap((status, i) =>
      status?.type === 'DIRECTORY'
        ? [
            {
              ...status,
              pathSuffix: (earlier[i] as string).slice((earlier[i] as string).lastIndexOf('/') + 1),
            },
          ]
        : [],
    );
    return { path, key, names, waiting, ahead: undefined, marker };
  }
}

/** The entry whose key comes next. */
async function nextOf(frame: Frame): Promise<HdfsStatus | undefined> {
  for (;;) {
    frame.ahead ??= await frame.names.next();
    const first = frame.waiting.at(-1);
    if (first && (!frame.ahead || compareUtf8(textOf(first), frame.ahead.pathSuffix) < 0)) {
      return frame.waiting.pop();
    }
    const { ahead } = frame;
    frame.ahead = undefined;
    if (!ahead) return undefined;
    if (ahead.pathSuffix === reservedName) continue;
    if (ahead.type === 'FILE') return ahead;
    frame.waiting.push(ahead);
  }
}

/** What an entry adds to keys. */
function textOf({ pathSuffix, type }: HdfsStatus): string {
  return type === 'DIRECTORY' ? `${pathSuffix}/` : pathSuffix;
}

/** The beginnings of a name that a directory of that name would come behind, though it is shorter. */
function prefixesBeforeSlash(name: string): string[] {
  const prefixes: string[] = [];
  for (let at = 1; at < name.length; at++) if (name.charCodeAt(at) < 0x2f) prefixes.push(name.slice(0, at));
  return prefixes;
}
