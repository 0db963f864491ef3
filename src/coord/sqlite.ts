import Database from 'better-sqlite3';
import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import { type EntryTable, LocalStore } from './local-store.ts';
import { CoordError, type CoordStore, type Entry } from './store.ts';

interface Row {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

const schemaVersion = 1;

const schema = `
  CREATE TABLE entries (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    revision INTEGER NOT NULL,
    lease TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX entries_by_lease ON entries (lease) WHERE lease IS NOT NULL;
  CREATE TABLE latest (revision INTEGER NOT NULL) STRICT;
  INSERT INTO latest VALUES (0);
  PRAGMA user_version = ${schemaVersion};
`;

/** Rows in one SQLite file. A write has been fsynced when it returns. */
class SqliteTable implements EntryTable {
  private readonly database: Database.Database;
  private readonly statements: ReturnType<typeof prepare>;

  constructor(database: Database.Database) {
    this.database = database;
    this.statements = prepare(database);
  }

  revision(): number {
    return attempt('read', () => (this.statements.revision.get() as { revision: number }).revision);
  }

  get(key: string): Entry | undefined {
    return attempt('read', () => this.statements.get.get(key) as Row | undefined);
  }

  list(prefix: string): Entry[] {
    return attempt('read', () => {
      const found: Entry[] = [];
      for (const row of this.statements.from.iterate(prefix) as IterableIterator<Row>) {
        if (!row.key.startsWith(prefix)) break;
        found.push(row);
      }
      return found;
    });
  }

  put(entry: Entry, leaseId: string | undefined): void {
    this.write(entry.revision, () =>
      this.statements.put.run(entry.key, entry.value, entry.revision, leaseId ?? null),
    );
  }

  delete(keys: readonly string[], revision: number): void {
    this.write(revision, () => {
      for (const key of keys) this.statements.delete.run(key);
    });
  }

  keysOfLease(leaseId: string): string[] {
    return attempt('read', () => (this.statements.ofLease.all(leaseId) as Row[]).map((row) => row.key));
  }

  /** No lease outlives the process that granted it. */
  deleteLeased(): void {
    const keys = attempt('read', () => (this.statements.leased.all() as Row[]).map((row) => row.key));
    if (keys.length > 0) this.delete(keys, this.revision() + 1);
  }

  close(): void {
    attempt('close', () => this.database.close());
  }

  private write(revision: number, change: () => void): void {
    attempt('write', () =>
      this.database.transaction(() => {
        change();
        this.statements.setRevision.run(revision);
      })(),
    );
  }
}

function prepare(database: Database.Database) {
  return {
    revision: database.prepare('SELECT revision FROM latest'),
    setRevision: database.prepare('UPDATE latest SET revision = ?'),
    get: database.prepare('SELECT key, value, revision FROM entries WHERE key = ?'),
    from: database.prepare('SELECT key, value, revision FROM entries WHERE key >= ? ORDER BY key'),
    put: database.prepare(
      `INSERT INTO entries (key, value, revision, lease) VALUES (?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision, lease = excluded.lease`,
    ),
    delete: database.prepare('DELETE FROM entries WHERE key = ?'),
    ofLease: database.prepare('SELECT key FROM entries WHERE lease = ? ORDER BY key'),
    leased: database.prepare('SELECT key FROM entries WHERE lease IS NOT NULL ORDER BY key'),
  };
}

function attempt<T>(doing: 'open' | 'read' | 'write' | 'close', work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = sqliteCode(error);
    if (code === undefined) throw error;
    const message = `cannot ${doing} the coordination store: ${(error as Error).message}`;
    throw new CoordError(kindOf(code), message, { cause: error });
  }
}

/**
 * SQLite's result code, undefined for what is not its error. Asked by the code and not by the class: the native module knows one
 * class for the whole process, whichever copy of the package was loaded first.
 */
function sqliteCode(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : undefined;
}

function kindOf(code: string): 'locked' | 'corrupt' | 'unavailable' {
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) return 'locked';
  if (/^SQLITE_(CORRUPT|NOTADB|FORMAT)/.test(code)) return 'corrupt';
  return 'unavailable';
}

/**
 * Opens the store in the file `path` (made if absent) for this process alone: while it is open every other opening is
 * refused with kind `locked`. The lock is the operating system's, so that it ends with the process, however that ends.
 * Kinds: locked, corrupt, unavailable (the file cannot be opened or written).
 */
export function openSqliteStore(path: string, clock: Clock, random: Random): CoordStore {
  return attempt('open', () => {
    let database: Database.Database;
    try {
      database = new Database(path, { timeout: 0 });
    } catch (error) {
      if (sqliteCode(error) !== undefined) throw error;
      const message = error instanceof Error ? error.message : String(error);
      // better-sqlite3 throws a TypeError when the folder does not exist.
      throw new CoordError('unavailable', `cannot open ${path}: ${message}`, {
        cause: error,
      });
    }
    try {
      // Set before the first access, so that the file is locked from then on and the index of the log needs no shared memory:
      // https://www.sqlite.org/wal.html#use_of_wal_without_shared_memory
      database.pragma('locking_mode = EXCLUSIVE');
      database.pragma('journal_mode = WAL');
      database.pragma('synchronous = FULL');
      migrate(database, path);
      const table = new SqliteTable(database);
      table.deleteLeased();
      return new LocalStore(clock, random, table);
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

function migrate(database: Database.Database, path: string): void {
  const found = database.pragma('user_version', { simple: true });
  if (found === schemaVersion) return;
  if (found !== 0) {
    throw new CoordError('corrupt', `${path} was written by a newer version of forebay (format ${found})`);
  }
  database.transaction(() => database.exec(schema)).immediate();
}
