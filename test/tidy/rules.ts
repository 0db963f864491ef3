import { importsOf, resolveImport, type SourceFile } from './source-file.ts';

/** A rule of the house: says what is wrong with a file, in one sentence each, or nothing. */
export interface Rule {
  readonly name: string;
  appliesTo(path: string): boolean;
  check(file: SourceFile): string[];
}

/** The layers from the top down; a folder imports only from layers below its own, and from itself. */
const layers: readonly (readonly string[])[] = [
  ['cli'],
  ['gateway', 'admin'],
  ['jobs'],
  ['worker', 'pending', 'auth', 'mounts', 'ring', 'client'],
  ['s3api', 'ufs', 'coord', 'peers'],
  ['common'],
];

/** Pairs that the layers would allow and that are kept apart all the same. */
const keptApart: readonly (readonly [importer: string, imported: string])[] = [['worker', 's3api']];

/** Packages that belong to certain folders alone. */
const packageHomes: Readonly<Record<string, readonly string[]>> = {
  fastify: ['gateway', 'admin'],
  'better-sqlite3': ['common', 'coord', 'worker'],
};

const inSource = (path: string): boolean => /^src\/.*\.ts$/.test(path);
const isCode = (path: string): boolean => /\.(ts|js|mjs|py)$/.test(path);
const folderOf = (path: string): string => path.split('/')[1] ?? '';
const layerOf = (folder: string): number => layers.findIndex((layer) => layer.includes(folder));

/** Code without comments and texts, so that a word in prose breaks no rule. Line breaks are kept. */
function codeOnly(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, (part) =>
    part.replace(/[^\n]/g, ' '),
  );
}

/** One sentence for each line of code that matches. */
function linesMatching(file: SourceFile, pattern: RegExp, what: string): string[] {
  const lines = codeOnly(file.text).split('\n');
  return lines.flatMap((line, index) => (pattern.test(line) ? [`line ${index + 1} ${what}`] : []));
}

function checkDirection(file: SourceFile): string[] {
  const from = folderOf(file.path);
  const fromLayer = layerOf(from);
  if (fromLayer < 0) return [`${from} is in no layer`];
  return importsOf(file).flatMap((specifier) => {
    const target = resolveImport(file, specifier);
    if (target === undefined) return [];
    if (!target.startsWith('src/')) return [`imports ${target}, which is not under src`];
    const to = folderOf(target);
    if (to === from) return [];
    if (layerOf(to) <= fromLayer) return [`imports ${to}, which is not below ${from}`];
    const apart = keptApart.some(([importer, imported]) => importer === from && imported === to);
    return apart ? [`imports ${to}, which ${from} must not know`] : [];
  });
}

function checkPackages(file: SourceFile): string[] {
  return importsOf(file).flatMap((specifier) => {
    const homes = packageHomes[specifier];
    const allowed = homes === undefined || homes.includes(folderOf(file.path));
    return allowed ? [] : [`imports ${specifier}, which belongs to ${homes.join(', ')}`];
  });
}

// Put together from pieces, so that this file keeps its own rules.
const registryHosts = [
  ['registry', 'npmjs', 'org'],
  ['pypi', 'org'],
  ['pythonhosted', 'org'],
  ['crates', 'io'],
  ['proxy', 'golang', 'org'],
  ['repo1', 'maven', 'org'],
  ['repo', 'maven', 'apache', 'org'],
  ['deb', 'debian', 'org'],
].map((labels) => labels.join('.'));
const unfinishedWords = new RegExp(
  `\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b`,
);

export const rules: readonly Rule[] = [
  { name: 'imports point down', appliesTo: inSource, check: checkDirection },
  { name: 'packages stay in their folders', appliesTo: inSource, check: checkPackages },
  {
    name: 'only cli reads the environment and the arguments',
    appliesTo: (path) => inSource(path) && folderOf(path) !== 'cli',
    check: (file) =>
      linesMatching(file, /\bprocess\s*\.\s*(env|argv)\b/, 'reads process.env or process.argv'),
  },
  {
    name: 'time and chance are dependencies',
    appliesTo: (path) => inSource(path) && !/^src\/common\/(clock|random)\.ts$/.test(path),
    check: (file) =>
      linesMatching(
        file,
        /\b(Date\.now|Math\.random|performance\.now|process\.hrtime|randomUUID|randomBytes)\b|\bnew Date\(\s*\)/,
        'asks for the time or for chance by itself',
      ),
  },
  {
    name: 'modules hold no state',
    appliesTo: inSource,
    check: (file) => linesMatching(file, /^(export\s+)?(let|var)\s/, 'is a variable of the module'),
  },
  {
    name: 'conformance is a black box',
    appliesTo: (path) => path.startsWith('conformance/') || path.startsWith('test/hostile/'),
    check: (file) =>
      importsOf(file).flatMap((specifier) =>
        resolveImport(file, specifier)?.startsWith('src/') ? [`imports ${specifier}`] : [],
      ),
  },
  {
    name: 'files have at most 400 lines',
    appliesTo: isCode,
    check: ({ text }) => {
      const lines = text.split('\n').length - 1;
      return lines > 400 ? [`has ${lines} lines`] : [];
    },
  },
  {
    name: 'file names are kebab-case',
    appliesTo: (path) => path.startsWith('src/') || path.startsWith('scripts/'),
    check: ({ path }) =>
      path.split('/').every((name) => /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*$/.test(name))
        ? []
        : ['is not named in kebab-case'],
  },
  {
    name: 'no registry is named',
    appliesTo: () => true,
    check: ({ text }) => registryHosts.filter((host) => text.includes(host)).map((host) => `names ${host}`),
  },
  {
    name: 'nothing is left unfinished',
    appliesTo: (path) => path !== 'package-lock.json',
    check: ({ text }) => {
      const word = unfinishedWords.exec(text)?.[1];
      return word === undefined ? [] : [`says ${word}`];
    },
  },
];
