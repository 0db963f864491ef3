import { rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';

/** What is known of a page file without opening it. */
export interface PageRow {
  readonly name: string;
  readonly incarnation: string;
  readonly path: string;
  readonly generation: string;
  readonly pageBytes: number;
  readonly fileBytes: number;
}

export interface PageIndexSettings {
  readonly path: string;
  /** How long a change may wait for others to be committed with it. */
  readonly commitMs: number;
  /** So many waiting changes are committed at once. */
  readonly maxPending: number;
}

const schemaVersion = 1;

/**
 * Which pages are on disk, in SQLite. It only saves looking at every file at start: changes are committed in batches and
 * without waiting for the disk, a crash may lose the last of them, and a damaged index is begun anew. What it says is compared
 * with the files after each start.
 */
export class PageIndex {
  private readonly log: Log;
  private readonly clock: Clock;
  private readonly settings: PageIndexSettings;
  private readonly onFault: () => void;
  private database: Database.Database;
  private pending = new Map<string, PageRow | undefined>();
  private timer: AbortController | undefined;
  private closed = false;

  /** `onFault` is called for each batch that could not be committed, and for an index that had to be begun anew. */
  constructor(clock: Clock, log: Log, settings: PageIndexSettings, onFault: () => void) {
    this.clock = clock;
    this.log = log;
    this.settings = settings;
    this.onFault = onFault;
    this.database = this.openOrRenew();
  }

  /** Gives every row to `take`. False if the index was damaged: it is empty now, and what was given is to be put again. */
  load(take: (row: PageRow) => void): boolean {
    try {
      const rows = this.database.prepare(
        'SELECT name, incarnation, path, generation, page_bytes AS pageBytes, file_bytes AS fileBytes FROM pages',
      );
      for (const row of rows.iterate() as IterableIterator<PageRow>) {
        // Names become file names, so nothing else is let through.
        if (/^[0-9a-f]{32}$/.test(row.name) && row.fileBytes > row.pageBytes) take(row);
      }
      return true;
    } catch (error) {
      this.log.warn({ err: error, index: this.settings.path }, 'the page index is damaged');
      this.onFault();
      this.renew();
      return false;
    }
  }

  put(row: PageRow): void {
    this.change(row.name, row);
  }

  remove(name: string): void {
    this.change(name, undefined);
  }

  /** Commits what waits. A batch that cannot be committed is given up: the comparison at the next start makes up for it. */
  commit(): void {
    this.timer?.abort();
    this.timer = undefined;
    const batch = this.pending;
    if (batch.size === 0) return;
    this.pending = new Map();
    try {
      this.write(batch);
    } catch (error) {
      this.log.warn({ err: error, index: this.settings.path }, 'changes of the page index are lost');
      this.onFault();
      if (isDamage(error)) this.renew();
    }
  }

  close(): void {
    if (this.closed) return;
    this.commit();
    this.closed = true;
    this.database.close();
  }

  private change(name: string, row: PageRow | undefined): void {
    if (this.closed) return;
    this.pending.set(name, row);
    if (this.pending.size >= this.settings.maxPending) this.commit();
    else if (!this.timer) this.commitLater();
  }

  private commitLater(): void {
    const timer = new AbortController();
    this.timer = timer;
    this.clock.sleep(this.settings.commitMs, timer.signal).then(
      () => {
        if (this.timer === timer) this.commit();
      },
      // Committed earlier.
      () => undefined,
    );
  }

  private write(batch: ReadonlyMap<string, PageRow | undefined>): void {
    const put = this.database.prepare(
      `INSERT OR REPLACE INTO pages (name, incarnation, path, generation, page_bytes, file_bytes)
       VALUES (@name, @incarnation, @path, @generation, @pageBytes, @fileBytes)`,
    );
    const remove = this.database.prepare('DELETE FROM pages WHERE name = ?');
    this.database.transaction(() => {
      for (const [name, row] of batch) {
        if (row) put.run(row);
        else remove.run(name);
      }
    })();
  }

  private openOrRenew(): Database.Database {
    try {
      return this.openDatabase();
    } catch (error) {
      this.log.warn({ err: error, index: this.settings.path }, 'the page index is begun anew');
      this.onFault();
      this.deleteFiles();
      return this.openDatabase();
    }
  }

  private renew(): void {
    this.database.close();
    this.deleteFiles();
    this.database = this.openDatabase();
  }

  private deleteFiles(): void {
    for (const suffix of ['', '-wal', '-shm']) rmSync(this.settings.path + suffix, { force: true });
  }

  private openDatabase(): Database.Database {
    const database = new Database(this.settings.path);
    try {
      database.pragma('journal_mode = WAL');
      database.pragma('synchronous = NORMAL');
      const version = database.pragma('user_version', { simple: true });
      if (version !== schemaVersion && version !== 0) {
        database.exec('DROP TABLE IF EXISTS pages');
      }
      database.exec(`CREATE TABLE IF NOT EXISTS pages (
        name TEXT PRIMARY KEY, incarnation TEXT NOT NULL, path TEXT NOT NULL, generation TEXT NOT NULL,
        page_bytes INTEGER NOT NULL, file_bytes INTEGER NOT NULL) WITHOUT ROWID, STRICT`);
      database.pragma(`user_version = ${schemaVersion}`);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  }
}

function isDamage(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' && /^SQLITE_(CORRUPT|NOTADB|READONLY_DBMOVED|ERROR)/.test(code);
}
