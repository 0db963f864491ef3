import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../scripts/run-command.ts';
import { leftOut, type Outcome } from '../scripts/stage.ts';
import { type RunningNode, startNode } from './harness.ts';

const root = join(import.meta.dirname, '..');
const suiteTimeoutMs = 300_000;

/** What a suite is told of its node. Nothing else of the caller's S3 settings reaches the clients. */
function suiteEnvironment(node: RunningNode, folder: string): NodeJS.ProcessEnv {
  const foreign = /^(FOREBAY_|AWS_|PYTHON)/;
  const inherited = Object.entries(process.env).filter(([name]) => !foreign.test(name));
  return {
    ...Object.fromEntries(inherited),
    S3_PORT: String(node.s3Port),
    S3_DOMAIN: node.domain,
    COMMAND_FOREBAY: join(root, 'bin/forebay'),
    FOREBAY_ADMIN_URL: `http://127.0.0.1:${node.adminPort}`,
    AWS_ACCESS_KEY_ID: node.accessKeyId,
    AWS_SECRET_ACCESS_KEY: node.secretAccessKey,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: join(folder, 'aws-config'),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'aws-credentials'),
    HOME: folder,
    // Python's own packages come from the virtual environment alone.
    PYTHONNOUSERSITE: '1',
  };
}

/** The counts of a JUnit file's first suite. */
function readJUnit(text: string, report: string): Outcome {
  const attribute = (name: string): number =>
    Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(text)?.[1]);
  const [tests, failures, errors, skipped] = ['tests', 'failures', 'errors', 'skipped'].map(attribute);
  if (tests === undefined || failures === undefined || errors === undefined || skipped === undefined) {
    return { passed: 0, failed: 1, skipped: 0, report };
  }
  const failed = failures + errors;
  return { passed: tests - failed - skipped, failed, skipped, report };
}

async function runPytest(node: RunningNode, suite: string, folder: string): Promise<Outcome> {
  const results = join(folder, 'results.xml');
  const { code, output } = await runCommand(
    'sh',
    [
      join(root, 'scripts/with-python.sh'),
      ...['-m', 'pytest', '-q', '--tb=short', '-p', 'no:cacheprovider', `--junitxml=${results}`],
      ...['--rootdir', join(root, 'conformance'), join(root, 'conformance', suite)],
    ],
    { cwd: folder, env: suiteEnvironment(node, folder), timeoutMs: suiteTimeoutMs },
  );
  const text = await readFile(results, 'utf8').catch(() => undefined);
  if (text === undefined) return { passed: 0, failed: 1, skipped: 0, report: output };
  const outcome = readJUnit(text, output);
  return code === 0 || outcome.failed > 0 ? outcome : { ...outcome, failed: 1 };
}

/** Runs one black-box suite against a node of its own. A node that does not live through it is a failure too. */
export async function runSuite(suite: 'boto3' | 'cli'): Promise<Outcome> {
  const python = await runCommand('python3', ['-c', 'import venv, ensurepip']);
  if (python.code !== 0) return leftOut('python3 with venv is not installed');
  // Installed here, while HOME is still the caller's, so that the caller's package cache is used.
  const install = await runCommand('sh', [join(root, 'scripts/with-python.sh'), '-c', '']);
  if (install.code !== 0) return { passed: 0, failed: 1, skipped: 0, report: install.output };
  const folder = await mkdtemp(join(tmpdir(), 'forebay-suite-'));
  try {
    const node = await startNode();
    const outcome = await runPytest(node, suite, folder);
    const tail = outcome.failed > 0 ? `\nthe node's log ends:\n${await node.logTail()}` : '';
    await node.stop();
    return { ...outcome, report: outcome.report + tail };
  } catch (error) {
    return { passed: 0, failed: 1, skipped: 0, report: String(error) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
