/**
 * `npm run mutants [-- NAME…]`: asks whether the tests find what they claim to find. First come the tests that switch one rule
 * of the real code off by an option (their names begin with "planted defect:"), then each row of `planted-defects.ts`, put into a
 * copy of the source whose tests must then fail. NAME is a part of a row's name; with one, only those rows are tried. Rows that a soak
 * or a fuzzer or a client's suite or a campaign finds are slow, and are tried only with one: `npm run mutants -- soak`, `npm run mutants -- fuzz`,
 * `npm run mutants -- conformance`, `npm run mutants -- chaos`.
 */
import { cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type ChaosSeed,
  type FuzzerCases,
  type PlantedDefect,
  plantedDefects,
  type SuiteCases,
} from './planted-defects.ts';
import { runCommand } from './run-command.ts';
import { runJest } from './run-jest.ts';
import { closingLine, type Outcome } from './stage.ts';

const root = join(import.meta.dirname, '..');
/** Below the repository, so that the copy finds its packages there. */
const copy = join(root, '.cache', 'mutant');

/** For the tests of one defect, and for those of all together. */
const oneDefectMs = 400_000;
const allPatternsMs = 1_800_000;

async function copySource(): Promise<void> {
  await rm(copy, { recursive: true, force: true });
  await mkdir(copy, { recursive: true });
  const folders = ['src', 'test', 'bench', 'chaos', 'conformance', 'docs', 'fuzz', 'scripts', 'bin'];
  for (const part of [...folders, 'package.json', 'package-lock.json', 'jest.config.js', 'LICENSE']) {
    await cp(join(root, part), join(copy, part), { recursive: true });
  }
  // What tests lay below `.cache` for themselves is not fetched again for each defect.
  await mkdir(join(root, '.cache', 'debian'), { recursive: true });
  await mkdir(join(copy, '.cache'), { recursive: true });
  for (const name of ['debian', 'venv-gcs', 'hdfs']) {
    await symlink(join(root, '.cache', name), join(copy, '.cache', name));
  }
}

/** What fuzzers start in the copy runs on the packages that are installed here. */
async function linkInstalled(): Promise<void> {
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  for (const name of ['venv', 'venv-moto', 'venv-tables', 's3proxy', 's3a']) {
    await symlink(join(root, '.cache', name), join(copy, '.cache', name));
  }
}

function testCopy(patterns: readonly string[], timeoutMs: number): Promise<Outcome> {
  const args = ['--rootDir', copy, '--config', join(copy, 'jest.config.js'), '--bail', ...patterns];
  return runJest(args, timeoutMs);
}

/** A soak of a minute. Another exit code than 1 says that it could not be carried out, and finds nothing. */
async function soakCopy(): Promise<Outcome> {
  const args = [join(copy, 'bench/soak/main.ts'), '--minutes', '1'];
  const { code, output: report } = await runCommand(process.execPath, args, {
    cwd: copy,
    timeoutMs: 240_000,
  });
  return { passed: code === 0 ? 1 : 0, failed: code === 1 ? 1 : 0, skipped: 0, report };
}

/** A fuzzer's first cases. Another exit code than 1 says that they could not be tried, and finds nothing. */
async function fuzzCopy({ fuzzer, cases }: FuzzerCases): Promise<Outcome> {
  const args = [join(copy, 'fuzz/main.ts'), '--only', fuzzer, '--seed', '1', '--sequences', String(cases)];
  const { code, output: report } = await runCommand(process.execPath, args, {
    cwd: copy,
    timeoutMs: 280_000,
  });
  const sound = code === 0 && report.includes(`\n${fuzzer}: ${cases} cases`);
  return { passed: sound ? 1 : 0, failed: code === 1 ? 1 : 0, skipped: 0, report };
}

/** Cases of a client. Where none of them was run, nothing was found. */
async function suiteCopy({ suite, only }: SuiteCases): Promise<Outcome> {
  const args = [join(copy, 'scripts/conformance.ts'), suite, 'file', '--only', only];
  const { code, output: report } = await runCommand(process.execPath, args, {
    cwd: copy,
    timeoutMs: 1_200_000,
  });
  const [, passed = 0, failed = 0] = /^--- (\d+) passed, (\d+) failed/m.exec(report) ?? [];
  const isTold = report.includes(`failed ${suite}\n`);
  // A suite that could not be carried out is one failure of its own name.
  return { passed: code === 0 ? Number(passed) : 0, failed: isTold ? 0 : Number(failed), skipped: 0, report };
}

/** A campaign. Where it does not say what it found it could not be carried out, and found nothing. */
async function chaosCopy({ seed, seconds, more = [], pending }: ChaosSeed): Promise<Outcome> {
  const words = ['--seed', String(seed), '--seconds', String(seconds), ...more];
  const { code, output: report } = await runCommand(
    process.execPath,
    [join(copy, pending ? 'chaos/pending/main.ts' : 'chaos/main.ts'), ...words],
    {
      cwd: copy,
      timeoutMs: 1000 * (seconds + 240),
    },
  );
  const [, violations = ''] = /^seed \d+: [1-9]\d* operations .*, (\d+) violations$/m.exec(report) ?? [];
  const found = Number(violations) > 0;
  return { passed: code === 0 && violations === '0' ? 1 : 0, failed: found ? 1 : 0, skipped: 0, report };
}

function tryCopy(foundBy: PlantedDefect['foundBy']): Promise<Outcome> {
  if (foundBy === 'soak') return soakCopy();
  if ('suite' in foundBy) return suiteCopy(foundBy);
  if ('seed' in foundBy) return chaosCopy(foundBy);
  return 'fuzzer' in foundBy ? fuzzCopy(foundBy) : testCopy(foundBy, oneDefectMs);
}

function isSlow({ foundBy }: PlantedDefect): boolean {
  return foundBy === 'soak' || 'fuzzer' in foundBy || 'suite' in foundBy || 'seed' in foundBy;
}

/** Of each fuzzer that is to find something, as many cases as the defect that takes it the longest. */
function mostCases(found: readonly PlantedDefect['foundBy'][]): readonly FuzzerCases[] {
  const most = new Map<string, number>();
  for (const foundBy of found) {
    if (typeof foundBy === 'string' || !('fuzzer' in foundBy)) continue;
    most.set(foundBy.fuzzer, Math.max(foundBy.cases, most.get(foundBy.fuzzer) ?? 0));
  }
  return [...most].map(([fuzzer, cases]) => ({ fuzzer, cases }));
}

/** Without a defect the copy must pass: what fails anyhow finds nothing. Undefined, or what is wrong. */
async function isSound(defects: readonly PlantedDefect[]): Promise<string | undefined> {
  const found = defects.map(({ foundBy }) => foundBy);
  const patterns = new Set(found.flatMap((foundBy) => (Array.isArray(foundBy) ? (foundBy as string[]) : [])));
  const outcomes: Outcome[] = [];
  if (patterns.size > 0) outcomes.push(await testCopy([...patterns], allPatternsMs));
  for (const cases of mostCases(found)) outcomes.push(await fuzzCopy(cases));
  for (const foundBy of found) {
    if (typeof foundBy === 'object' && 'suite' in foundBy) outcomes.push(await suiteCopy(foundBy));
  }
  // Of campaigns that differ in nothing but how long they last, the longest.
  const campaigns = found.filter(
    (foundBy) => typeof foundBy === 'object' && 'seed' in foundBy,
  ) as ChaosSeed[];
  const longest = new Map<string, ChaosSeed>();
  for (const campaign of campaigns.toSorted((a, b) => a.seconds - b.seconds)) {
    longest.set(JSON.stringify([campaign.seed, campaign.more, campaign.pending]), campaign);
  }
  for (const campaign of longest.values()) {
    outcomes.push(await chaosCopy(campaign));
  }
  if (defects.some(({ foundBy }) => foundBy === 'soak')) outcomes.push(await soakCopy());
  const failed = outcomes.find((outcome) => outcome.failed > 0 || outcome.passed === 0);
  return failed && `the copy fails without any defect:\n${failed.report}`;
}

/** Undefined if the tests found it, or what is wrong. */
async function isFound(defect: PlantedDefect): Promise<string | undefined> {
  const file = join(copy, defect.file);
  const text = await readFile(file, 'utf8');
  if (text.split(defect.right).length !== 2) return `its place in ${defect.file} is not there once`;
  await writeFile(
    file,
    text.replace(defect.right, () => defect.wrong),
  );
  const { failed, report } = await tryCopy(defect.foundBy);
  await writeFile(file, text);
  if (report.includes('SyntaxError')) return 'what is planted there is no program';
  // On a busy machine any test may take too long: that is no finding.
  if (report.includes('was ended by SIGKILL')) return 'its tests took too long to tell';
  return failed > 0 ? undefined : `${JSON.stringify(defect.foundBy)} found nothing:\n${report.slice(-2000)}`;
}

async function switchedOff(): Promise<Outcome> {
  const outcome = await runJest(['--verbose', '--testNamePattern', '(^| )planted defect:']);
  const lines = outcome.report.split('\n').filter((line) => !line.includes('○'));
  const shown = lines.filter((line) => outcome.failed > 0 || line.includes('planted defect:'));
  console.log(shown.join('\n'));
  // Tests of other names are pending for jest, and of no interest here.
  return { ...outcome, skipped: 0 };
}

const parts = process.argv.slice(2);
const chosen = plantedDefects.filter((defect) =>
  parts.length === 0 ? !isSlow(defect) : parts.some((part) => defect.name.includes(part)),
);
if (chosen.length === 0) {
  console.error(`no such planted defect: ${parts.join(', ')}`);
  process.exit(2);
}
const first = parts.length === 0 ? await switchedOff() : { passed: 0, failed: 0 };
let { passed, failed } = first;
await copySource();
if (chosen.some(isSlow)) await linkInstalled();
const unsound = await isSound(chosen);
if (unsound !== undefined) {
  console.log(unsound);
  failed++;
}
for (const defect of chosen) {
  const problem = await isFound(defect);
  console.log(
    `${problem === undefined ? '✓' : '✕'} ${defect.name}${problem === undefined ? '' : `: ${problem}`}`,
  );
  if (problem === undefined) passed++;
  else failed++;
}
await rm(copy, { recursive: true, force: true });
console.log(`\n${closingLine({ passed, failed, skipped: 0, report: '' })}`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
