/**
 * `npm run mutants`: runs every test that plants a defect and asks whether the checks find it. Such a test's name begins
 * with "planted defect:"; it switches one rule of the real code off through a constructor's option.
 */
import { closingLine } from './stage.ts';
import { runJest } from './stages.ts';

const outcome = await runJest(['--verbose', '--testNamePattern', '(^| )planted defect:']);
// Tests of other names are pending for jest, and of no interest here.
const counted = { ...outcome, skipped: 0 };
console.log(
  outcome.report
    .split('\n')
    .filter((line) => outcome.failed > 0 || line.includes('planted defect:'))
    .filter((line) => !line.includes('○'))
    .join('\n'),
);
console.log(`\n${closingLine(counted)}`);
process.exitCode = counted.failed > 0 || counted.passed === 0 ? 1 : 0;
