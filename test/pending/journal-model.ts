import type { PendingEntry } from '../../src/pending/pending-entry.ts';
import { someBytes } from '../support/upload-body.ts';

type Outcome = 'none' | 'asked' | 'yes';

/** A change as those know it who asked for it. */
export interface ModelChange {
  readonly id: number;
  readonly key: string;
  readonly kind: 'put' | 'delete';
  readonly sizeBytes: number;
  /** Of the journal's, in order of appending; known when the append returned, or from a recovery. */
  name?: string;
  acked: 'asked' | 'yes' | 'failed' | 'void';
  sent: Outcome;
  done: Outcome;
  /** Bits flipped since. */
  mayBeDamaged: boolean;
  /** A later change of its key took its place, or it was not there any more when the journal was opened again. */
  isGone: boolean;
}

export function bytesOf(change: Pick<ModelChange, 'id' | 'sizeBytes'>): Buffer {
  return someBytes(change.sizeBytes, change.id);
}

/** What a journal may hold when it is opened again, by what was asked of it and answered. */
export class JournalModel {
  readonly changes: ModelChange[] = [];

  begin(key: string, kind: ModelChange['kind'], sizeBytes: number): ModelChange {
    const id = this.changes.length + 1;
    const change: ModelChange = {
      id,
      key,
      kind,
      sizeBytes,
      acked: 'asked',
      sent: 'none',
      done: 'none',
      mayBeDamaged: false,
      isGone: false,
    };
    this.changes.push(change);
    return change;
  }

  /** An append has returned: what failed before it is void. */
  acknowledged(change: ModelChange): void {
    for (const other of this.changes)
      if (other.acked === 'failed' && other.id < change.id) other.acked = 'void';
    change.acked = 'yes';
  }

  ofKey(key: string): ModelChange[] {
    return this.changes.filter((change) => change.key === key);
  }

  /**
   * What is wrong with what was recovered; undefined: nothing. `tellsLoss`: the journal says that something is lost, which excuses that
   * something is missing, and that what was over before is there again.
   */
  judge(recovered: readonly PendingEntry[], tellsLoss: boolean): string | undefined {
    const byKey = new Map<string, ModelChange[]>();
    for (const entry of recovered) {
      const change = this.changes[Number(entry.change.meta?.userMetadata.id ?? entry.change.atMs) - 1];
      const words = `${entry.key}, ${entry.name}`;
      if (!change || change.key !== entry.key) return `nobody appended ${words}`;
      if (change.acked === 'void' && !tellsLoss) return `${words} was void and is there again`;
      if ((change.done === 'yes' || change.isGone) && !tellsLoss)
        return `${words} was over and is there again`;
      if (change.sent === 'yes' && entry.sent === undefined && !tellsLoss)
        return `${words} was sent and is not known to be`;
      byKey.set(entry.key, [...(byKey.get(entry.key) ?? []), change]);
    }
    for (const key of new Set(this.changes.map((change) => change.key))) {
      const wrong = this.judgeKey(key, byKey.get(key) ?? []);
      if (tellsLoss) continue;
      if (wrong)
        return `${wrong}: ${key} has ${JSON.stringify(byKey.get(key))} of ${JSON.stringify(this.ofKey(key).filter((one) => !one.isGone && one.acked !== 'void' && one.done !== 'yes'))}`;
    }
    return undefined;
  }

  /** From a recovery on, what it found is there for good, and what it did not find is not. */
  settle(recovered: readonly PendingEntry[]): void {
    const found = new Map(
      recovered.map((entry) => [Number(entry.change.meta?.userMetadata.id ?? entry.change.atMs), entry]),
    );
    for (const change of this.changes) {
      const entry = found.get(change.id);
      if (!entry) {
        change.isGone = true;
        if (change.done === 'asked') change.done = 'yes';
        if (change.acked !== 'yes') change.acked = 'void';
        continue;
      }
      change.acked = 'yes';
      change.isGone = false;
      change.sent = entry.sent === undefined ? 'none' : 'yes';
      change.done = 'none';
      change.name = entry.name;
    }
  }

  private judgeKey(key: string, found: readonly ModelChange[]): string | undefined {
    const all = this.ofKey(key).filter((change) => change.acked !== 'void');
    // The newest that must be there, unless something later is done or took its place.
    const newest = all.findLast((change) => change.acked === 'yes');
    const over = all.findLast((change) => change.done === 'yes');
    if (over && found.some((change) => change.id < over.id)) return 'older than what is done';
    if (newest && newest.done === 'none' && !newest.isGone) {
      const later = all.some((change) => change.id > newest.id && change.done !== 'none');
      if (!later && !found.some((change) => change.id >= newest.id)) return 'lost';
    }
    for (const change of all) {
      const isNeeded =
        change.acked === 'yes' && change.sent === 'yes' && change.done === 'none' && !change.isGone;
      const later = all.some((other) => other.id > change.id && other.done !== 'none');
      if (isNeeded && !later && !found.includes(change)) return 'lost';
    }
    return undefined;
  }
}
