import type { Schema } from './route.ts';

/**
 * One line of the audit log. A change has two: `begun`, on disk before anything is changed, and `ended`, which has everything that the first
 * has. Where only the first is there, the node ended in between. `refused`: nothing was begun.
 */
export interface AuditEntry {
  /** ISO 8601, when the request came. */
  readonly time: string;
  /** The same in both lines of a change. */
  readonly id: string;
  readonly stage: 'begun' | 'ended' | 'refused';
  /** The workerId of the node that was asked. */
  readonly node: string;
  /** Whose signature it was; absent where none held. */
  readonly user?: string;
  /** As the request claims, where no signature held. */
  readonly accessKeyId?: string;
  /** The client's address. */
  readonly from?: string;
  /** What the client says of itself. */
  readonly agent?: string;
  /** The route's name. */
  readonly change: string;
  readonly method: string;
  readonly path: string;
  readonly query?: unknown;
  readonly body?: unknown;
  /** What the change is about, as it was and as it is. */
  readonly before?: unknown;
  readonly after?: unknown;
  /** `OK`, or the code of the failure. */
  readonly outcome?: string;
  readonly message?: string;
  readonly ms?: number;
  /** Refusals of callers whose signature did not hold, since the line before, that have no line of their own. */
  readonly unrecorded?: number;
}

const hidden = '***';
const maxTextCharacters = 500;
const maxItems = 50;
const maxStateCharacters = 8_192;
/** Shorter ones stand in words that are none. */
const minSecretCharacters = 4;

/** A request's body without what its schema says is secret, nor what it does not know; long texts and lists are cut. */
export function shownBody(body: unknown, schema: Schema | undefined): unknown {
  if (body === undefined || body === null || Buffer.isBuffer(body)) return undefined;
  return shown(body, schema ?? {});
}

function shown(value: unknown, schema: Schema): unknown {
  if (schema.writeOnly === true) return hidden;
  if (typeof value === 'string') return withoutUserinfo(cut(value));
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value;
  if (Array.isArray(value)) {
    return value.slice(0, maxItems).map((item) => shown(item, (schema.items as Schema) ?? {}));
  }
  if (typeof value !== 'object') return hidden;
  const known = (schema.properties ?? {}) as Readonly<Record<string, Schema>>;
  const entries = Object.entries(value).slice(0, maxItems);
  return Object.fromEntries(
    entries.map(([name, one]) => {
      const own = Object.hasOwn(known, name) ? (known[name] as Schema) : { writeOnly: true };
      return [cut(name), shown(one, own)];
    }),
  );
}

/** The texts in a body that its schema says are secret, wherever they may turn up again. */
export function secretsIn(body: unknown, schema: Schema | undefined): string[] {
  if (schema === undefined || typeof body !== 'object' || body === null) return [];
  const known = (schema.properties ?? {}) as Readonly<Record<string, Schema>>;
  return Object.entries(body).flatMap(([name, value]) => {
    if (!Object.hasOwn(known, name)) return typeof value === 'string' ? [value] : [];
    const own = known[name] as Schema;
    if (own.writeOnly !== true) return secretsIn(value, own);
    return typeof value === 'string' ? [value] : [];
  });
}

/** A state as it is written down: cut where it is too large for a line. */
export function shownState(state: unknown): unknown {
  if (state === undefined) return undefined;
  const text = JSON.stringify(state);
  return text.length <= maxStateCharacters ? state : { tooLarge: text.length };
}

/** The entry as its line. No secret is in it, wherever it came from. */
export function lineOf(entry: AuditEntry, secrets: readonly string[]): string {
  const long = secrets.filter((secret) => secret.length >= minSecretCharacters);
  return JSON.stringify(entry, (_name, value) => {
    if (typeof value !== 'string') return value;
    return long.reduce((text, secret) => text.replaceAll(secret, hidden), value);
  });
}

function cut(text: string): string {
  return text.length <= maxTextCharacters ? text : `${text.slice(0, maxTextCharacters)}…`;
}

/** Of a URL that brings its own password. */
function withoutUserinfo(text: string): string {
  return text.replaceAll(/\/\/[^/@\s]*@/g, `//${hidden}@`);
}
