import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { XMLParser } from 'fast-xml-parser';
import type { CaseResult } from './cases.ts';

interface Problem {
  readonly message?: string;
  readonly '#text'?: string;
}

interface TestCase {
  readonly classname: string;
  readonly name: string;
  readonly failure?: readonly Problem[];
  readonly error?: readonly Problem[];
  readonly skipped?: readonly Problem[];
}

interface Report {
  readonly testsuite: readonly { readonly testcase?: readonly TestCase[] }[];
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  // A name that looks like a number stays as it is.
  parseAttributeValue: false,
  parseTagValue: false,
  alwaysCreateTextNode: true,
  isArray: (name) => ['testsuite', 'testcase', 'failure', 'error', 'skipped'].includes(name),
});

/**
 * What Maven Surefire wrote about each case: one file `TEST-CLASS.xml` a class, in JUnit's form. A case is named
 * `Class::method`, the class without its package, which no two of Hadoop's share. Undefined if nothing was written.
 */
export async function readSurefireReports(folder: string): Promise<CaseResult[] | undefined> {
  const names = await readdir(folder).catch(() => []);
  const files = names.filter((name) => /^TEST-.*\.xml$/.test(name)).toSorted();
  if (files.length === 0) return undefined;
  const results: CaseResult[] = [];
  for (const file of files) results.push(...parseSurefireReport(await readFile(join(folder, file), 'utf8')));
  return results;
}

/** The cases of one file. */
export function parseSurefireReport(text: string): CaseResult[] {
  const { testsuite } = parser.parse(text) as Report;
  return testsuite.flatMap(({ testcase = [] }) => testcase.map(resultOf));
}

function resultOf({ classname, name, failure, error, skipped }: TestCase): CaseResult {
  const fullName = `${classname.slice(classname.lastIndexOf('.') + 1)}::${name}`;
  const [problem] = [...(failure ?? []), ...(error ?? [])];
  if (problem) return { name: fullName, outcome: 'failed', said: problem['#text'] ?? problem.message ?? '' };
  if (skipped) return { name: fullName, outcome: 'inapplicable', said: skipped[0]?.message ?? '' };
  return { name: fullName, outcome: 'passed', said: '' };
}
