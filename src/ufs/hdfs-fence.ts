import { UfsError } from './errors.ts';
import { type HdfsClient, type HdfsStatus, isAbsent } from './hdfs-client.ts';
import type { HdfsPlace } from './hdfs-place.ts';
import type { HdfsStaging } from './hdfs-staging.ts';
import { parseRunFolder } from './run-folders.ts';

/** Each turn finds out what the turn before has left. */
const maxTurns = 6;

/**
 * Takes the folders of others away, out of which, and into which, they rename what they change: each goes under another name, and a plain
 * file takes its place, so that nothing comes to lie there again (consistency rule 7).
 */
export class HdfsFence {
  readonly #client: HdfsClient;
  readonly #place: HdfsPlace;
  readonly #staging: HdfsStaging;

  constructor(client: HdfsClient, place: HdfsPlace, staging: HdfsStaging) {
    this.#client = client;
    this.#place = place;
    this.#staging = staging;
  }

  async raise(mayWrite: (writer: string) => boolean): Promise<void> {
    const { group } = this.#staging;
    if (group === undefined) return;
    for (const name of await this.#open()) {
      const run = parseRunFolder(name);
      if (run?.group === group && !mayWrite(run.writer)) await this.#end(`${this.#place.own}/${name}`);
    }
  }

  /** Names that something may still be renamed out of: those of directories, and those whose place nothing has taken. */
  async #open(): Promise<readonly string[]> {
    const open = new Set<string>();
    const ended = new Set<string>();
    for await (const { pathSuffix: name, type } of entriesOf(this.#client, this.#place.own)) {
      const run = parseRunFolder(name);
      if (run?.isGone) open.add(name.slice(0, -'.gone'.length));
      else if (run && type === 'DIRECTORY') open.add(name);
      else if (run) ended.add(name);
    }
    return [...open].filter((name) => !ended.has(name));
  }

  async #end(folder: string): Promise<void> {
    let last: unknown;
    for (let turn = 0; turn < maxTurns; turn++) {
      const there = await this.#client.find(folder);
      if (there?.type === 'FILE') return;
      try {
        if (there) await this.#takeAway(folder);
        else await this.#fill(folder);
      } catch (error) {
        // Somebody else may be at it, and an answer may have been lost: what is there now tells.
        if (!(error instanceof UfsError)) throw error;
        last = error;
      }
    }
    if ((await this.#client.find(folder))?.type === 'FILE') return;
    const message = 'a folder of another node, whose time is over, could not be taken away';
    const details = { backend: this.#place.uri, retryable: true, cause: last };
    throw new UfsError('unavailable', message, details);
  }

  async #takeAway(folder: string): Promise<void> {
    const gone = `${folder}.gone`;
    const isTaken = (await this.#client.find(gone)) !== undefined;
    await this.#client.rename(folder, isTaken ? `${gone}/${this.#staging.newName()}` : gone, 'NONE');
  }

  async #fill(folder: string): Promise<void> {
    const { path } = await this.#staging.writeText('fenced', { key: '' });
    try {
      await this.#client.rename(path, folder, 'NONE');
    } catch (error) {
      this.#staging.removeLater(path);
      throw error;
    }
  }
}

/** What a directory holds, page by page; nothing where there is none. */
export async function* entriesOf(client: HdfsClient, path: string): AsyncGenerator<HdfsStatus> {
  let after: string | undefined;
  for (;;) {
    let page: Awaited<ReturnType<HdfsClient['list']>>;
    try {
      page = await client.list(path, after);
    } catch (error) {
      if (isAbsent(error)) return;
      throw error;
    }
    yield* page.entries;
    after = page.entries.at(-1)?.pathSuffix;
    if (!page.hasMore || after === undefined) return;
  }
}
