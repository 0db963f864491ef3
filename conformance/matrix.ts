import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CaseResult } from './cases.ts';
import { backendTitles, type Client, clients } from './clients.ts';
import { type KnownFailures, readKnownFailures } from './known-failures.ts';
import type { LeftOutGroup } from './left-out.ts';
import type { BackendName } from './scene.ts';

/** What became of one client's suite over one backend. */
export interface MatrixCell {
  readonly client: string;
  readonly backend: BackendName;
  readonly results: readonly CaseResult[];
}

/** Why cases are not among those that pass. */
interface Reasons {
  readonly leftOut: readonly LeftOutGroup[];
  /** By the client's name. */
  readonly known: ReadonlyMap<string, readonly KnownFailures[]>;
}

const page = join(import.meta.dirname, '../docs/clients.md');
const begin = '<!-- results: written by npm run conformance -->';
const end = '<!-- end of results -->';
const backends = Object.keys(backendTitles) as BackendName[];
const notRun = '–';

/**
 * Puts results into `docs/clients.md`: the field of each client and backend that was run without a failure takes the place of the one
 * before. Fields of another version of the client do not stay.
 */
export async function writeMatrix(
  cells: readonly MatrixCell[],
  leftOut: readonly LeftOutGroup[],
): Promise<void> {
  const text = await readFile(page, 'utf8');
  const [before, rest] = text.split(begin);
  const [former, after] = rest?.split(end) ?? [];
  if (before === undefined || former === undefined || after === undefined)
    throw new Error('docs/clients.md has no place for results');
  const known = new Map<string, readonly KnownFailures[]>();
  for (const { name } of clients) known.set(name, await readKnownFailures(name));
  const formatted = formatMatrix(former, cells, { leftOut, known });
  await writeFile(page, `${before}${begin}\n\n${formatted}\n\n${end}${after}`);
}

/** The table of clients by backends, and the reasons for what is left out or fails, in Markdown. */
function formatMatrix(former: string, cells: readonly MatrixCell[], reasons: Reasons): string {
  const rows = clients.map((client) => {
    const sound = cells.filter((cell) => cell.client === client.name && isSound(cell));
    return [titleWithVersion(client), ...formatFields(client, sound, formerFields(client, former), reasons)];
  });
  return [
    ...formatTable([['client', ...backends.map((backend) => backendTitles[backend])], ...rows]),
    '',
    'Left out, since the backend itself gets it wrong:',
    '',
    ...reasons.leftOut.map(
      ({ client, backend, because, cases }) =>
        `- ${titleOf(client)} over ${backendTitles[backend]}, ${Object.keys(cases).length}: ${because}`,
    ),
    '',
    'Known failures:',
    '',
    ...[...reasons.known].flatMap(([client, groups]) =>
      groups.map(
        (group) =>
          `- ${titleOf(client)} over ${group.backends.map((backend) => backendTitles[backend]).join(' and ')}, ${group.cases.length}: ${group.because}`,
      ),
    ),
  ].join('\n');
}

function isSound({ results }: MatrixCell): boolean {
  return results.length > 0 && results.every(({ outcome }) => outcome !== 'failed' && outcome !== 'skipped');
}

function formatFields(
  client: Client,
  cells: readonly MatrixCell[],
  former: readonly string[],
  { leftOut }: Reasons,
): string[] {
  return backends.map((backend, index) => {
    const results = cells.find((cell) => cell.backend === backend)?.results;
    if (!results) return former[index] ?? notRun;
    const count = (wanted: string) => results.filter(({ outcome }) => outcome === wanted).length;
    const left = leftOut
      .filter((group) => group.client === client.name && group.backend === backend)
      .reduce((sum, { cases }) => sum + Object.keys(cases).length, 0);
    const parts = [`${count('passed')} passed`];
    if (left > 0) parts.push(`${left} left out`);
    if (count('expected') > 0) parts.push(`${count('expected')} known failures`);
    if (count('inapplicable') > 0) parts.push(`${count('inapplicable')} do not apply`);
    return parts.join(', ');
  });
}

/** What the table said of this client before, backend by backend: nothing of another version. */
function formerFields(client: Client, former: string): string[] {
  const rows = former
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((field) => field.trim()),
    );
  const [head = []] = rows;
  const row = rows.find(([title]) => title === titleWithVersion(client)) ?? [];
  return backends.map((backend) => row[head.indexOf(backendTitles[backend])] ?? notRun);
}

function titleWithVersion({ title, version }: Client): string {
  return `${title} ${version}`;
}

/** Rows of a Markdown table, the first of which is its head; columns are as wide as the formatter has them. */
function formatTable(rows: readonly (readonly string[])[]): string[] {
  const [first = []] = rows;
  const widths = first.map((_, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (fields: readonly string[]) =>
    `| ${fields.map((field, column) => field.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = line(widths.map((width) => '-'.repeat(width)));
  return [line(first), rule, ...rows.slice(1).map(line)];
}

function titleOf(name: string): string {
  return clients.find((client) => client.name === name)?.title ?? name;
}
