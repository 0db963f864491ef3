import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../scripts/run-command.ts';
import { runJestInto } from '../scripts/run-jest.ts';
import { type CaseResult, readJestResults, readPytestResults } from './cases.ts';
import type { Client } from './clients.ts';
import { installClient } from './install.ts';
import { judgeKnownFailures, knownCases, readKnownFailures } from './known-failures.ts';
import { runS3a } from './run-s3a.ts';
import type { BackendName, Route, Scene } from './scene.ts';
import { readSurefireReports } from './surefire-reports.ts';

const root = join(import.meta.dirname, '..');
const conformance = join(root, 'conformance');
const suiteTimeoutMs = 5_400_000;

export interface SuiteChoice {
  readonly client: Client;
  readonly backend: BackendName;
  readonly route: Route;
  /**
   * `all`: every case that makes sense over this backend and is not left out; `quick`: of these, the ones that are marked as
   * telling most in a short time; `left-out`: what `left-out.json` names, and no other.
   */
  readonly cases: 'all' | 'quick' | 'left-out';
  /** Of these only the ones that match: an expression of pytest's, or of the names of Java classes. */
  readonly only?: string;
}

export interface SuiteRun {
  readonly results: readonly CaseResult[];
  /** Everything that the runner printed. */
  readonly report: string;
}

interface RunnerInput {
  /** The folder of this run, which is removed afterwards. */
  readonly folder: string;
  /** The file, or the folder, where it writes what became of each case. */
  readonly reportTo: string;
  readonly env: NodeJS.ProcessEnv;
  readonly only: string | undefined;
}

function pytest({ folder, reportTo, env, only }: RunnerInput) {
  const suite = join(conformance, env.CLIENT ?? '');
  return runCommand(
    'sh',
    [
      join(root, 'scripts/with-python.sh'),
      ...[
        '-m',
        'pytest',
        '-q',
        '--tb=short',
        '-p',
        'no:cacheprovider',
        '-c',
        join(conformance, 'pytest.ini'),
      ],
      ...['--rootdir', conformance, suite],
      ...(only === undefined ? [] : ['-k', only]),
    ],
    { cwd: folder, env: { ...env, RESULTS: reportTo }, timeoutMs: suiteTimeoutMs },
  );
}

async function jest({ reportTo, env, only }: RunnerInput) {
  const suite = join(conformance, env.CLIENT ?? '');
  const args = ['--config', join(conformance, 'jest.config.js'), suite];
  if (only !== undefined) args.push('--testNamePattern', only);
  const { code, report } = await runJestInto(reportTo, args, { env, timeoutMs: suiteTimeoutMs });
  return { code, output: report };
}

/** How each kind of suite is run, and how it tells what became of its cases. */
const runners = {
  pytest: { run: pytest, read: readPytestResults },
  jest: { run: jest, read: readJestResults },
  surefire: {
    run: ({ reportTo, env, only }: RunnerInput) => runS3a(reportTo, env, only),
    read: readSurefireReports,
  },
} as const;

/** Whether this exit code says that the suite was carried out, and no more than its cases tell. */
function isEnd({ runner }: Client, code: number | undefined, results: readonly CaseResult[]): boolean {
  if (code === 0) return true;
  // Maven is told to end well whatever failed; pytest ends with 5 where every case is deselected.
  if (runner === 'surefire') return false;
  return results.some(({ outcome }) => outcome === 'failed') || (runner === 'pytest' && code === 5);
}

/** Runs one client's suite. A run that fails otherwise than by its cases has one more, which says so. */
export async function runSuite(scene: Scene, choice: SuiteChoice): Promise<SuiteRun> {
  const { client, backend, route, cases, only } = choice;
  const folder = await mkdtemp(join(tmpdir(), 'forebay-suite-'));
  const reportTo = join(folder, 'results');
  try {
    const env = {
      ...scene.environment(backend, route),
      ...(await installClient(client)),
      CLIENT: client.name,
      CASES: cases,
    };
    const { run, read } = runners[client.runner];
    const { code, output } = await run({ folder, reportTo, env, only: only ?? client.only?.[backend] });
    const seen = (await read(reportTo)) ?? [];
    if (!isEnd(client, code, seen)) {
      seen.push({ name: client.name, outcome: 'failed', said: `the runner ended with ${code}` });
    }
    const known = knownCases(await readKnownFailures(client.name), backend);
    return { results: judgeKnownFailures(known, seen, only === undefined), report: output };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
