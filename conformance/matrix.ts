import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CaseResult } from './cases.ts';
import { backendTitles, clients } from './clients.ts';
import type { LeftOutGroup } from './left-out.ts';
import type { BackendName } from './scene.ts';

/** What became of one client's suite over one backend. */
export interface MatrixCell {
  readonly client: string;
  readonly backend: BackendName;
  readonly results: readonly CaseResult[];
}

const page = join(import.meta.dirname, '../docs/clients.md');
const begin = '<!-- results: written by npm run conformance -->';
const end = '<!-- end of results -->';

/** The table of clients by backends, and the reasons for what is left out, in Markdown. */
export function formatMatrix(cells: readonly MatrixCell[], groups: readonly LeftOutGroup[]): string {
  const backends = Object.keys(backendTitles) as BackendName[];
  const rows = clients.map(({ name, title, version }) => {
    const fields = backends.map((backend) => {
      const cell = cells.find((one) => one.client === name && one.backend === backend);
      const passed = cell?.results.filter(({ outcome }) => outcome === 'passed').length ?? 0;
      const left = groups
        .filter((group) => group.client === name && group.backend === backend)
        .reduce((sum, { cases }) => sum + Object.keys(cases).length, 0);
      return left > 0 ? `${passed} passed, ${left} left out` : `${passed} passed`;
    });
    return [`${title} ${version}`, ...fields];
  });
  const reasons = groups.map(
    ({ client, backend, because, cases }) =>
      `- ${titleOf(client)} over ${backendTitles[backend]}, ${Object.keys(cases).length}: ${because}`,
  );
  return [
    ...formatTable([['client', ...backends.map((backend) => backendTitles[backend])], ...rows]),
    '',
    'Left out, since the backend itself gets it wrong:',
    '',
    ...reasons,
  ].join('\n');
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

/** Puts the results into `docs/clients.md`, in the place of those before. */
export async function writeMatrix(
  cells: readonly MatrixCell[],
  groups: readonly LeftOutGroup[],
): Promise<void> {
  const text = await readFile(page, 'utf8');
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined)
    throw new Error('docs/clients.md has no place for results');
  await writeFile(page, `${before}${begin}\n\n${formatMatrix(cells, groups)}\n\n${end}${after}`);
}
