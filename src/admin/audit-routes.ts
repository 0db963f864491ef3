import { AdminError } from './admin-error.ts';
import type { AuditEntry } from './audit-entry.ts';
import { newestOf } from './audit-reading.ts';
import { type AdminRoute, list, object, shortText, silentNode, silentOf, text } from './route.ts';

const anything = {};
const entry = object(
  {
    time: text,
    id: text,
    stage: { type: 'string', enum: ['begun', 'ended', 'refused'] },
    node: text,
    user: text,
    accessKeyId: text,
    from: text,
    agent: text,
    change: text,
    method: text,
    path: text,
    query: anything,
    body: anything,
    before: anything,
    after: anything,
    outcome: text,
    message: text,
    ms: { type: 'integer' },
    unrecorded: { type: 'integer' },
  },
  ['time', 'id', 'stage', 'node', 'change', 'method', 'path'],
);
const defaultLimit = 100;
const maxLimit = 1_000;
/** For all nodes to answer. */
const askMs = 5_000;

/** The audit log of all nodes. */
export const auditRoutes: readonly AdminRoute[] = [
  {
    name: 'ReadAudit',
    method: 'GET',
    path: '/v1/audit',
    summary: 'Changes and refused changes at all nodes, the newest last',
    query: object(
      {
        limit: { ...shortText(4), description: `The newest so many, up to ${maxLimit} (${defaultLimit})` },
        since: { ...shortText(40), description: 'None before this time, ISO 8601' },
        user: { ...shortText(64), description: 'Only of this user' },
        change: { ...shortText(64), description: 'Only of this name, such as AddMount' },
      },
      [],
    ),
    answer: object({ entries: list(entry), silent: list(silentNode) }, ['entries', 'silent']),
    changes: 'nothing',
    handler: async ({ reports }, { query }) => {
      const limit = limitOf(query.limit);
      const { user, change } = query;
      const told = await reports.ask('audit', { limit, since: timeOf(query.since), user, change }, askMs);
      const logs = told.flatMap((report) => (report.told ? [report.told as readonly AuditEntry[]] : []));
      return { status: 200, body: { entries: newestOf(logs, limit), silent: silentOf(told) } };
    },
  },
];

function limitOf(written = String(defaultLimit)): number {
  const limit = Number(written);
  if (/^\d+$/.test(written) && limit >= 1 && limit <= maxLimit) return limit;
  throw new AdminError(400, 'InvalidRequest', `limit is a number from 1 to ${maxLimit}`);
}

function timeOf(written: string | undefined): string | undefined {
  if (written === undefined) return undefined;
  const ms = Date.parse(written);
  if (!Number.isNaN(ms)) return new Date(ms).toISOString();
  throw new AdminError(400, 'InvalidRequest', 'since is a time such as 2026-01-31T12:00:00Z');
}
