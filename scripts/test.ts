/**
 * `npm test [-- STAGE…]`: runs the stages in order, shows what failed, and closes with one line
 * `N passed, N failed[, N skipped]`. Exit code 1 if anything failed or nothing was run.
 */
import { performance } from 'node:perf_hooks';
import { closingLine, judge, type Outcome, total } from './stage.ts';
import { stages } from './stages.ts';

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !stages.some((stage) => stage.name === name));
if (unknown.length > 0) {
  console.error(
    `no such stage: ${unknown.join(', ')}; there are ${stages.map((stage) => stage.name).join(', ')}`,
  );
  process.exit(2);
}

const outcomes: Outcome[] = [];
for (const stage of stages) {
  if (wanted.length > 0 && !wanted.includes(stage.name)) continue;
  console.log(`\n=== ${stage.title}`);
  const startedMs = performance.now();
  const outcome = judge(await stage.run(), process.env.CI === 'true');
  const { unsteady = [] } = outcome;
  if (outcome.failed > 0 || outcome.skipped > 0 || unsteady.length > 0) console.log(outcome.report.trimEnd());
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  // Not in the closing line's form, so that there is only one of it.
  console.log(`--- ${stage.name}: ${closingLine(outcome)}, ${seconds} s`);
  for (const file of unsteady)
    console.log(`--- ${stage.name}: unsteady, passed when run again alone: ${file}`);
  outcomes.push(outcome);
}

const sum = total(outcomes);
console.log(`\n${closingLine(sum)}`);
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0;
