import Database from 'better-sqlite3';

/** Held by this process alone until it is released, the process ends, however it ends, or nothing refers to this object any more. */
export interface ProcessLock {
  release(): void;
}

/**
 * Takes the operating system's lock on the file `path`, which is made if it is not there and stays empty; its folder exists. Undefined
 * if another process, or another holder in this one, has it. Throws what SQLite says where the file cannot be opened or locked at all.
 *
 * Node has no file locks of its own. SQLite's are POSIX locks, which network file systems keep too, apart from those mounted with
 * `nolock`; SQLite sees to it that they also hold between two holders of one process (https://www.sqlite.org/lockingv3.html).
 */
export function takeProcessLock(path: string): ProcessLock | undefined {
  const database = new Database(path, { timeout: 0 });
  try {
    // Nothing is ever written, so there is nothing to roll back, and no journal need lie beside the file.
    database.pragma('journal_mode = MEMORY');
    database.exec('BEGIN EXCLUSIVE');
    return { release: () => database.close() };
  } catch (error) {
    database.close();
    if (/^SQLITE_(BUSY|LOCKED)/.test(String((error as { code?: unknown }).code))) return undefined;
    throw error;
  }
}
