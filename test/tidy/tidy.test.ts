import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { rules } from './rules.ts';
import { importsOf, readTree, resolveImport, type SourceFile } from './source-file.ts';

const tree = readTree(join(import.meta.dirname, '../..'));

/** For each rule, files that break it. A rule without one could not be seen to work. */
const offenders: Readonly<Record<string, readonly SourceFile[]>> = {
  'imports point down': [
    { path: 'src/s3api/a.ts', text: "import { x } from '../worker/x.ts';\n" },
    { path: 'src/s3api/a.ts', text: "import type { x } from '../ufs/x.ts';\n" },
    { path: 'src/ufs/a.ts', text: "import { x } from '../s3api/x.ts';\n" },
    { path: 'src/worker/a.ts', text: "import { x } from '../s3api/errors.ts';\n" },
    { path: 'src/worker/deep/a.ts', text: "export * from '../../mounts/x.ts';\n" },
    { path: 'src/common/a.ts', text: "const x = await import('../coord/x.ts');\n" },
    { path: 'src/gateway/a.ts', text: "import {\n  x,\n} from '../cli/settings.ts';\n" },
    { path: 'src/gateway/a.ts', text: "import x from '../../test/support/x.ts';\n" },
    { path: 'src/unheard/a.ts', text: '' },
  ],
  'packages stay in their folders': [
    { path: 'src/s3api/a.ts', text: "import fastify from 'fastify';\n" },
    { path: 'src/gateway/a.ts', text: "import Database from 'better-sqlite3';\n" },
  ],
  'only cli reads the environment and the arguments': [
    { path: 'src/ufs/a.ts', text: "const x = process.env['HOME'];\n" },
    { path: 'src/common/a.ts', text: 'const [x] = process.argv;\n' },
  ],
  'time and chance are dependencies': [
    { path: 'src/ufs/a.ts', text: 'const now = Date.now();\n' },
    { path: 'src/ufs/a.ts', text: 'const now = new Date();\n' },
    { path: 'src/worker/a.ts', text: 'const id = randomUUID();\n' },
  ],
  'modules hold no state': [
    { path: 'src/ufs/a.ts', text: 'let count = 0;\n' },
    { path: 'src/ufs/a.ts', text: 'export let count = 0;\n' },
  ],
  'conformance is a black box': [
    { path: 'conformance/a.ts', text: "import { x } from '../src/common/x.ts';\n" },
    { path: 'test/hostile/a.ts', text: "import { x } from '../../src/common/x.ts';\n" },
  ],
  'files have at most 400 lines': [{ path: 'src/ufs/a.ts', text: '\n'.repeat(401) }],
  'file names are kebab-case': [
    { path: 'src/ufs/localBackend.ts', text: '' },
    { path: 'src/ufs/local_backend.ts', text: '' },
    { path: 'src/Ufs/local.ts', text: '' },
  ],
  'no registry is named': [{ path: 'docs/a.md', text: `see ${['registry', 'npmjs', 'org'].join('.')}` }],
  'nothing is left unfinished': [{ path: 'src/ufs/a.ts', text: `// ${'TO'}${'DO'}: later` }],
};

describe.each(rules)('$name', (rule) => {
  test('everywhere in the repository', () => {
    const files = tree.filter((file) => rule.appliesTo(file.path));
    const complaints = files.flatMap((file) =>
      rule.check(file).map((complaint) => `${file.path} ${complaint}`),
    );
    expect(complaints).toEqual([]);
    expect(files.length).toBeGreaterThan(0);
  });

  test('finds each file that breaks it', () => {
    const samples = offenders[rule.name] ?? [];
    expect(samples.length).toBeGreaterThan(0);
    for (const sample of samples) {
      expect([sample, rule.appliesTo(sample.path)]).toEqual([sample, true]);
      expect([sample, rule.check(sample).length > 0]).toEqual([sample, true]);
    }
  });
});

test('imports are found in every form', () => {
  const text = [
    "import a from './a.ts';",
    "import type { B } from '../b.ts';",
    "export { c } from './c.ts';",
    "import './d.ts';",
    "const e = await import('./e.ts');",
    'import {\n  f,\n} from "./f.ts";',
  ].join('\n');
  const file = { path: 'src/worker/x.ts', text };
  expect(importsOf(file).map((specifier) => resolveImport(file, specifier))).toEqual([
    'src/worker/a.ts',
    'src/b.ts',
    'src/worker/c.ts',
    'src/worker/d.ts',
    'src/worker/e.ts',
    'src/worker/f.ts',
  ]);
});

test('words in comments and texts break no rule about code', () => {
  const rule = rules.find(({ name }) => name === 'time and chance are dependencies');
  const text = "// Date.now() is not asked here\nconst word = 'Math.random';\n/* new Date() */\n";
  expect(rule?.check({ path: 'src/ufs/a.ts', text })).toEqual([]);
});
