import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../scripts/run-command.ts';
import { runJestInto } from '../scripts/run-jest.ts';
import { type CaseResult, readJestResults, readPytestResults } from './cases.ts';
import type { Client } from './clients.ts';
import { installClient } from './install.ts';
import type { BackendName, Route, Scene } from './scene.ts';

const root = join(import.meta.dirname, '..');
const conformance = join(root, 'conformance');
const suiteTimeoutMs = 900_000;

export interface SuiteChoice {
  readonly client: Client;
  readonly backend: BackendName;
  readonly route: Route;
  /**
   * `all`: every case that makes sense over this backend and is not left out; `quick`: of these, the ones that are marked as
   * telling most in a short time; `left-out`: what `left-out.json` names, and no other.
   */
  readonly cases: 'all' | 'quick' | 'left-out';
}

export interface SuiteRun {
  readonly results: readonly CaseResult[];
  /** Everything that the runner printed. */
  readonly report: string;
}

function pytest(folder: string, file: string, env: NodeJS.ProcessEnv) {
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
    ],
    { cwd: folder, env: { ...env, RESULTS: file }, timeoutMs: suiteTimeoutMs },
  );
}

async function jest(file: string, env: NodeJS.ProcessEnv) {
  const args = ['--config', join(conformance, 'jest.config.js'), join(conformance, env.CLIENT ?? '')];
  const { code, report } = await runJestInto(file, args, { env, timeoutMs: suiteTimeoutMs });
  return { code, output: report };
}

/** Runs one client's suite. A run that fails by none of its cases has one more, which says so. */
export async function runSuite(scene: Scene, choice: SuiteChoice): Promise<SuiteRun> {
  const { client, backend, route, cases } = choice;
  const folder = await mkdtemp(join(tmpdir(), 'forebay-suite-'));
  const file = join(folder, 'results.json');
  try {
    const env = {
      ...scene.environment(backend, route),
      ...(await installClient(client)),
      CLIENT: client.name,
      CASES: cases,
    };
    const run = client.runner === 'jest' ? await jest(file, env) : await pytest(folder, file, env);
    const read = client.runner === 'jest' ? readJestResults : readPytestResults;
    const results = (await read(file)) ?? [];
    const failed = results.some(({ outcome }) => outcome === 'failed');
    // pytest ends with 5 where every case is deselected.
    const ended = run.code === 0 || (run.code === 5 && client.runner === 'pytest');
    if (!ended && !failed) {
      results.push({ name: client.name, outcome: 'failed', said: `the runner ended with ${run.code}` });
    }
    return { results, report: run.output };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
