import { describe, expect, test } from '@jest/globals';
import type { CaseResult } from '../../conformance/cases.ts';
import { judgeKnownFailures, knownCases } from '../../conformance/known-failures.ts';

const groups = [
  { because: 'of one thing', backends: ['file'], cases: ['A::fails', 'A::passes'] },
  { because: 'of its timing', backends: ['file'], cases: ['A::late'], sometimes: true },
  { because: 'of another server', backends: ['moto'], cases: ['A::elsewhere'] },
] as const;

function result(name: string, outcome: CaseResult['outcome']): CaseResult {
  return { name, outcome, said: '' };
}

function judge(results: readonly CaseResult[], isWhole = false) {
  const judged = judgeKnownFailures(knownCases(groups, 'file'), results, isWhole);
  return judged.map(({ name, outcome }) => `${name} ${outcome}`);
}

describe('judgeKnownFailures', () => {
  test('a failure that is written down is expected, and no other is', () => {
    const results = [result('A::fails', 'failed'), result('A::other', 'failed')];
    expect(judge(results)).toEqual(['A::fails expected', 'A::other failed']);
  });

  test('what is written down fails the run when it passes, or does not apply any more', () => {
    const results = [result('A::passes', 'passed'), result('A::fails', 'inapplicable')];
    expect(judge(results)).toEqual(['A::passes failed', 'A::fails failed']);
  });

  test('what fails at times may pass', () => {
    expect(judge([result('A::late', 'passed')])).toEqual(['A::late passed']);
    expect(judge([result('A::late', 'failed')])).toEqual(['A::late expected']);
  });

  test('what is written down of another backend is a failure here', () => {
    expect(judge([result('A::elsewhere', 'failed')])).toEqual(['A::elsewhere failed']);
  });

  test('of a whole run, what is written down and was not run is a failure', () => {
    const results = [result('A::fails', 'failed'), result('A::late', 'passed')];
    expect(judge(results, true)).toEqual(['A::fails expected', 'A::late passed', 'A::passes failed']);
  });
});
