import type { AuditEntry } from './audit-entry.ts';
import type { AuditLog } from './audit-log.ts';

/** Which lines are asked for. */
export interface AuditQuestion {
  /** The newest so many. */
  readonly limit: number;
  /** ISO 8601: none that began before. */
  readonly since?: string;
  readonly user?: string;
  readonly change?: string;
}

/** Characters of what one node tells. */
const maxCharacters = 1024 * 1024;
/** A line stands where its change ended; no change takes longer than this. */
const longestChangeMs = 10 * 60_000;

/** Changes and refusals that a log tells of, the newest first: of a change that has ended the line that says so, of any other that it was begun. */
export async function readAudit(log: AuditLog, question: AuditQuestion): Promise<readonly AuditEntry[]> {
  const { limit, since } = question;
  const stopAt = since && new Date(Date.parse(since) - longestChangeMs).toISOString();
  const found: AuditEntry[] = [];
  const ended = new Set<string>();
  let characters = 0;
  for await (const line of log.lines()) {
    const entry = parse(line);
    if (!entry) continue;
    if (stopAt && entry.time < stopAt) break;
    if (entry.stage === 'ended') ended.add(entry.id);
    if (entry.stage === 'begun' && ended.delete(entry.id)) continue;
    if (!isWanted(entry, question)) continue;
    characters += line.length;
    if (characters > maxCharacters) break;
    found.push(entry);
    if (found.length === limit) break;
  }
  return found;
}

/** The newest lines of several logs, the oldest of them first. */
export function newestOf(logs: readonly (readonly AuditEntry[])[], limit: number): readonly AuditEntry[] {
  const all = logs.flat().sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  return all.slice(-limit);
}

function isWanted(entry: AuditEntry, { since, user, change }: AuditQuestion): boolean {
  if (since !== undefined && entry.time < since) return false;
  if (user !== undefined && entry.user !== user) return false;
  return change === undefined || entry.change === change;
}

/** Undefined of what a fault of the disk left. */
function parse(line: string): AuditEntry | undefined {
  try {
    return JSON.parse(line) as AuditEntry;
  } catch {
    return undefined;
  }
}
