import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { readSurefireReports } from '../../conformance/surefire-reports.ts';

const one = `<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="org.example.ITestOne" time="1.5" tests="4" errors="1" skipped="1" failures="1">
  <testcase name="passes[max-1]" classname="org.example.ITestOne" time="0.1"/>
  <testcase name="fails" classname="org.example.ITestOne" time="0.1">
    <failure message="expected:&lt;1&gt; but was:&lt;2&gt;" type="java.lang.AssertionError">java.lang.AssertionError: expected</failure>
    <system-out>much</system-out>
  </testcase>
  <testcase name="breaks" classname="org.example.ITestOne" time="0.1">
    <error message="lost" type="java.io.IOException"><![CDATA[java.io.IOException: lost]]></error>
  </testcase>
  <testcase name="stays out" classname="org.example.ITestOne" time="0.1">
    <skipped message="no key service" type="org.junit.AssumptionViolatedException"/>
  </testcase>
</testsuite>`;
const broken = `<testsuite name="org.example.ITestTwo" tests="1"><testcase name="" classname="org.example.ITestTwo">
  <error type="java.lang.NoClassDefFoundError"/></testcase></testsuite>`;

test('the cases of every report are told, with what went wrong', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'forebay-surefire-'));
  try {
    expect(await readSurefireReports(folder)).toBeUndefined();
    await writeFile(join(folder, 'TEST-org.example.ITestOne.xml'), one);
    await writeFile(join(folder, 'TEST-org.example.ITestTwo.xml'), broken);
    await writeFile(join(folder, 'org.example.ITestOne-output.txt'), 'no report');
    expect(await readSurefireReports(folder)).toEqual([
      { name: 'ITestOne::passes[max-1]', outcome: 'passed', said: '' },
      { name: 'ITestOne::fails', outcome: 'failed', said: 'java.lang.AssertionError: expected' },
      { name: 'ITestOne::breaks', outcome: 'failed', said: 'java.io.IOException: lost' },
      { name: 'ITestOne::stays out', outcome: 'inapplicable', said: 'no key service' },
      { name: 'ITestTwo::', outcome: 'failed', said: '' },
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
