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
  /** How long an index that failed is left alone. */
  readonly retryMs: number;
}

const schemaVersion = 1;

/**
 * Which pages are on disk, in SQLite. It only saves looking at every file at start: changes are committed in batches and
 * without waiting for the disk, a crash may lose the last of them, and a damaged index is begun anew. What it says is compared
 * with the files after each start. No method throws for a fault of the disk: without its index a store works on.
 */
export class PageIndex {
  private readonly log: Log;
  private readonly clock: Clock;
  private readonly settings: PageIndexSettings;
  private readonly onFault: () => void;
  /** Undefined until it is first used, and while it cannot be had. */
  private database: Database.Database | undefined;
  private openAgainMs = Number.NEGATIVE_INFINITY;
  private pending = new Map<string, PageRow | undefined>();
  private timer: AbortController | undefined;
  private closed = false;

  /** `onFault` is called for each batch that could not be committed, and for an index that had to be begun anew or cannot be had. */
  constructor(clock: Clock, log: Log, settings: PageIndexSettings, onFault: () => void) {
    this.clock = clock;
    this.log = log;
    this.settings = settings;
    this.onFault = onFault;
  }

  /** Gives every row to `take`. False if the index was damaged: it is empty now, and what was given is to be put again. */
  load(take: (row: PageRow) => void): boolean {
    const database = this.opened();
    if (!database) return true;
    try {
      const rows = database.prepare(
        'SELECT name, incarnation, path, generation, page_bytes AS pageBytes, file_bytes AS fileBytes FROM pages',
      );
      for (const row of rows.iterate() as IterableIterator<PageRow>) {
        // Names become file names, so nothing else is let through.
        if (/^[0-9a-f]{32}$/.test(row.name) && row.fileBytes > row.pageBytes) take(row);
      }
      return true;
    } catch (error) {
      this.failed(error, 'the page index is damaged');
      this.beginAnew();
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
    const database = this.opened();
    if (!database) {
      this.onFault();
      return;
    }
    try {
      write(database, batch);
    } catch (error) {
      this.failed(error, 'changes of the page index are lost');
      if (isDamage(error)) this.beginAnew();
      else this.setAside();
    }
  }

  /** Opens the file anew at its next use: the one that is open may have been removed or replaced. */
  reopen(): void {
    this.closeDatabase();
    this.openAgainMs = Number.NEGATIVE_INFINITY;
  }

  close(): void {
    if (this.closed) return;
    this.commit();
    this.closed = true;
    this.closeDatabase();
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

  /** The database, opened if that is due; undefined if it cannot be had now. */
  private opened(): Database.Database | undefined {
    if (this.database || this.clock.monotonicMs() < this.openAgainMs) return this.database;
    try {
      this.database = this.openDatabase();
    } catch (error) {
      this.failed(error, 'the page index cannot be opened');
      this.beginAnew();
    }
    return this.database;
  }

  private beginAnew(): void {
    this.closeDatabase();
    try {
      this.deleteFiles();
      this.database = this.openDatabase();
      this.log.info({ index: this.settings.path }, 'the page index is begun anew');
    } catch (error) {
      this.failed(error, 'there is no page index for a while');
      this.setAside();
    }
  }

  private setAside(): void {
    this.closeDatabase();
    this.openAgainMs = this.clock.monotonicMs() + this.settings.retryMs;
  }

  private failed(error: unknown, message: string): void {
    this.log.warn({ err: error, index: this.settings.path }, message);
    this.onFault();
  }

  private closeDatabase(): void {
    const database = this.database;
    this.database = undefined;
    try {
      database?.close();
    } catch {
      // What closing could not write is made up for by the comparison at the next start.
    }
  }

  private deleteFiles(): void {
    for (const suffix of ['', '-wal', '-shm']) rmSync(this.settings.path + suffix, { force: true });
  }

  private openDatabase(): Database.Database {
    const database = new Database(this.settings.path, { timeout: 0 });
    try {
      // Nobody else opens it; and without shared memory no file is mapped, where a failing disk would end the process with SIGBUS:
      // https://www.sqlite.org/wal.html#use_of_wal_without_shared_memory
      database.pragma('locking_mode = EXCLUSIVE');
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

function write(database: Database.Database, batch: ReadonlyMap<string, PageRow | undefined>): void {
  const put = database.prepare(
    `INSERT OR REPLACE INTO pages (name, incarnation, path, generation, page_bytes, file_bytes)
     VALUES (@name, @incarnation, @path, @generation, @pageBytes, @fileBytes)`,
  );
  const remove = database.prepare('DELETE FROM pages WHERE name = ?');
  database.transaction(() => {
    for (const [name, row] of batch) {
      if (row) put.run(row);
      else remove.run(name);
    }
  })();
}

function isDamage(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' && /^SQLITE_(CORRUPT|NOTADB|READONLY_DBMOVED|ERROR)/.test(code);
}
