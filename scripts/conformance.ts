/**
 * `npm run conformance [-- CLIENT… BACKEND…]`: every client's suite over every backend, or those that are named. Closes with one
 * line `N passed, N failed[, N skipped]`. In the table of results in `docs/clients.md` the field of a client and a backend is rewritten if
 * nothing failed.
 *
 * `FOREBAY_IO_THREADS=N` in the environment is passed on to the node, so that the suites run over several threads.
 *
 * `--direct` runs the same cases with the client straight at the backend instead. `--left-out` runs what
 * `conformance/left-out.json` leaves out, straight at the backend, where each case must fail: it shows that what is left
 * out is the backend's own doing. `--json FILE` writes what became of each case. `--only PATTERN` runs the cases that match:
 * an expression of pytest's `-k`, or of the names of Java's test classes, such as `ITestS3AContract*`.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { NotInstallable } from '../conformance/backends/storage-server.ts';
import { backendTitles, type Client, clients } from '../conformance/clients.ts';
import { checkLeftOut, readLeftOut } from '../conformance/left-out.ts';
import { type MatrixCell, writeMatrix } from '../conformance/matrix.ts';
import { runSuite, type SuiteChoice } from '../conformance/run-suite.ts';
import { type BackendName, Scene } from '../conformance/scene.ts';
import { closingLine, judge, leftOut, type Outcome, total } from './stage.ts';

const { values, positionals } = parseArgs({
  options: {
    direct: { type: 'boolean' },
    'left-out': { type: 'boolean' },
    json: { type: 'string' },
    only: { type: 'string' },
  },
  allowPositionals: true,
});
const backendNames = Object.keys(backendTitles) as BackendName[];
const known: readonly string[] = [...clients.map(({ name }) => name), ...backendNames];
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`neither client nor backend: ${unknown.join(', ')}; there are ${known.join(', ')}`);
  process.exit(2);
}
const chosen = <T>(all: readonly T[], nameOf: (one: T) => string): readonly T[] => {
  const named = all.filter((one) => positionals.includes(nameOf(one)));
  return named.length > 0 ? named : all;
};
const straight = values.direct === true || values['left-out'] === true;
/** These speak no S3 by themselves. */
const notStraight: readonly BackendName[] = ['file', 'hdfs', 'gcs'];
const chosenBackends = chosen(backendNames, (name) => name).filter(
  (name) => !straight || !notStraight.includes(name),
);
const chosenClients = chosen(clients, ({ name }) => name);

const groups = await readLeftOut();
const cells: MatrixCell[] = [];

async function runCell(scene: Scene, choice: SuiteChoice): Promise<Outcome> {
  const { client, backend, cases } = choice;
  const run = await runSuite(scene, choice);
  const results =
    cases === 'left-out' ? checkLeftOut(groups, client.name, backend, run.results) : run.results;
  const count = (wanted: string) => results.filter(({ outcome }) => outcome === wanted).length;
  cells.push({ client: client.name, backend, results });
  for (const { name, outcome, said } of results) {
    const isTold = outcome === 'failed' || outcome === 'skipped' || cases === 'left-out';
    if (isTold)
      console.log(`${outcome} ${name}\n    ${said.trimEnd().split('\n').slice(0, 12).join('\n    ')}`);
  }
  const aside = [
    ...(count('expected') > 0 ? [`${count('expected')} known failures`] : []),
    ...(count('inapplicable') > 0 ? [`${count('inapplicable')} do not apply`] : []),
  ];
  if (aside.length > 0) console.log(aside.join(', '));
  const none = results.length === 0;
  if (none && cases !== 'left-out') console.log(run.report);
  const failed = count('failed') + (none && cases !== 'left-out' ? 1 : 0);
  return { passed: count('passed'), failed, skipped: count('skipped'), report: '' };
}

async function runClient(scene: Scene, client: Client, backend: BackendName): Promise<Outcome> {
  const startedMs = performance.now();
  console.log(
    `\n=== ${client.title} ${client.version} ${straight ? 'straight at' : 'over'} ${backendTitles[backend]}`,
  );
  const cases = values['left-out'] ? 'left-out' : 'all';
  let outcome: Outcome;
  try {
    outcome = await runCell(scene, {
      client,
      backend,
      route: straight ? 'direct' : 'forebay',
      cases,
      only: values.only,
    });
  } catch (error) {
    outcome =
      error instanceof NotInstallable
        ? leftOut(error.message)
        : { passed: 0, failed: 1, skipped: 0, report: String(error) };
    outcome = judge(outcome, process.env.CI === 'true');
    console.log(outcome.report);
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`--- ${closingLine(outcome)}, ${seconds} s`);
  return outcome;
}

/** Over other backends than its own a client is run if both are named. */
const isMeant = ({ name, backends }: Client, backend: BackendName) =>
  backends.includes(backend) || (positionals.includes(name) && positionals.includes(backend));
const pairs = chosenClients.flatMap((client) =>
  chosenBackends.filter((backend) => isMeant(client, backend)).map((backend) => ({ client, backend })),
);
const outcomes: Outcome[] = [];
const scene = await Scene.open(
  [...new Set(pairs.map(({ backend }) => backend))].filter((name) => name !== 'file'),
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // What was started must not outlive a run that is broken off.
  process.once(signal, () => void scene.close().finally(() => process.exit(130)));
}
try {
  for (const { client, backend } of pairs) {
    const isLeftOut = groups.some((group) => group.client === client.name && group.backend === backend);
    if (!values['left-out'] || isLeftOut) outcomes.push(await runClient(scene, client, backend));
  }
  if (total(outcomes).failed > 0) console.log(await scene.logs());
} finally {
  await scene.close();
}
if (values.json !== undefined) await writeFile(values.json, JSON.stringify(cells, null, 2));
const sum = total(outcomes);
if (!straight && values.only === undefined) await writeMatrix(cells, groups);
console.log(`\n${closingLine(sum)}`);
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0;
