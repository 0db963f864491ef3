import type { LogLine, VersionNumber } from './operation-log.ts';

/** What lies under a key in the end, and who says so. */
export interface FinalState {
  readonly by: string;
  readonly versions: ReadonlyMap<string, VersionNumber>;
}

export interface KeyViolation {
  readonly key: string;
  readonly what: string;
  /** The key's lines, up to the one that is wrong. */
  readonly history: readonly LogLine[];
}

/** What a key may be, by the log of the one client that changes it, one change after the other. */
class KeyState {
  /** What it may be now. */
  private possible = new Set<VersionNumber>([0]);
  /** Of changes of which nobody knows whether they are done, in order. A later change that is done puts an end to them. */
  private open: VersionNumber[] = [];
  /** Those that nothing puts an end to. */
  private readonly forever: VersionNumber[] = [];

  /** What is wrong with a change that ended so; undefined: nothing. */
  end(version: VersionNumber, isCreate: boolean, line: LogLine & { at: 'end' }): string | undefined {
    const { effect, wasPresent } = line;
    if (effect === 'done') {
      if (isCreate && !this.possible.has(0))
        return `it was made where there was nothing, and was ${this.words()}`;
      this.possible = new Set([version, ...this.forever]);
      this.open = [];
    } else if (effect !== 'none') {
      (effect === 'open' ? this.open : this.forever).push(version);
      this.possible.add(version);
    } else if (wasPresent && [...this.possible].every((one) => one === 0)) {
      return 'something was said to be there, and nothing was';
    }
    return undefined;
  }

  seen(version: VersionNumber, by: string): string | undefined {
    if (!this.possible.has(version)) return `it is ${version} by ${by}, and may be ${this.words()}`;
    const at = this.open.indexOf(version);
    // What was asked for before what is seen cannot come after it any more.
    if (at >= 0) this.open = this.open.slice(at + 1);
    this.possible = new Set([version, ...this.open, ...this.forever]);
    return undefined;
  }

  private words(): string {
    return [...this.possible].join(' or ');
  }
}

/**
 * Compares what was seen, and what lies there in the end, with what was answered: every change that was acknowledged is there until a
 * later one of its key takes its place, and nothing comes back. Of each key at most one violation is told. Pure.
 */
export function judgeLog(lines: readonly LogLine[], finals: readonly FinalState[]): KeyViolation[] {
  const byKey = new Map<string, LogLine[]>();
  const keyOf = new Map<VersionNumber, string>();
  for (const line of lines) {
    if (line.at === 'begin') keyOf.set(line.change, line.key);
    const key = line.at === 'end' ? (keyOf.get(line.change) as string) : line.key;
    byKey.set(key, [...(byKey.get(key) ?? []), line]);
  }
  for (const { versions } of finals) for (const key of versions.keys()) byKey.set(key, byKey.get(key) ?? []);
  return [...byKey].flatMap(([key, history]) => judgeKey(key, history, finals));
}

function judgeKey(key: string, history: readonly LogLine[], finals: readonly FinalState[]): KeyViolation[] {
  const state = new KeyState();
  const begun = new Map<VersionNumber, LogLine & { at: 'begin' }>();
  for (const [index, line] of history.entries()) {
    let what: string | undefined;
    if (line.at === 'begin') begun.set(line.change, line);
    else if (line.at === 'seen') what = state.seen(line.version, line.by);
    else {
      const begin = begun.get(line.change) as LogLine & { at: 'begin' };
      begun.delete(line.change);
      what = state.end(versionOf(begin), begin.kind === 'create', line);
    }
    if (what !== undefined) return [{ key, what, history: history.slice(0, index + 1) }];
  }
  // A change that nobody wrote the end of is open.
  for (const begin of begun.values()) {
    state.end(versionOf(begin), false, { at: 'end', change: begin.change, effect: 'open' });
  }
  for (const { by, versions } of finals) {
    const what = state.seen(versions.get(key) ?? 0, by);
    if (what !== undefined) return [{ key, what, history }];
  }
  return [];
}

function versionOf({ change, kind }: LogLine & { at: 'begin' }): VersionNumber {
  return kind === 'delete' ? 0 : change;
}

/** A change that a storage carried out. */
export interface Applied {
  readonly key: string;
  readonly version: VersionNumber;
}

/** A storage gets each version of a key once at most, and never one that is older than one before. Pure. */
export function judgeOrder(applied: readonly Applied[], lines: readonly LogLine[]): string[] {
  const forever = new Set(
    lines.flatMap((line) => (line.at === 'end' && line.effect === 'forever' ? [line.change] : [])),
  );
  const last = new Map<string, VersionNumber>();
  const wrong: string[] = [];
  for (const { key, version } of applied) {
    const before = last.get(key) ?? 0;
    if (version === before) wrong.push(`the storage carried version ${version} of ${key} out twice`);
    if (version < before && !forever.has(version))
      wrong.push(`the storage got version ${version} of ${key} after version ${before}`);
    last.set(key, Math.max(before, version));
  }
  return wrong;
}
