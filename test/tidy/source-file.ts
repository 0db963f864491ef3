import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One file of the repository, as the rules see it. */
export interface SourceFile {
  /** Relative to the repository's root, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** Folders that hold nothing of the repository's own. */
const foreignFolders = new Set(['node_modules', '.git', '.cache', 'data', 'dist', 'coverage']);
const binaryFile = /\.(png|jpg|ico|gz|zip|bin|woff2?)$/;

/** Every text file below `root`, in order of path. */
export function readTree(root: string, folder = ''): SourceFile[] {
  const files: SourceFile[] = [];
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!foreignFolders.has(entry.name)) files.push(...readTree(root, path));
    } else if (entry.isFile() && !binaryFile.test(entry.name)) {
      files.push({ path, text: readFileSync(join(root, path), 'utf8') });
    }
  }
  return files;
}

/** What a TypeScript or JavaScript file imports: the specifiers as they stand, static and dynamic. */
export function importsOf({ text }: SourceFile): string[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*)(['"])([^'"\n]+)\1/g;
  return [...text.matchAll(pattern)].map((match) => match[2] ?? '');
}

/** The path in the repository that a relative import names; undefined for a package. */
export function resolveImport(file: SourceFile, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  const segments = file.path.split('/').slice(0, -1);
  for (const segment of specifier.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '.') segments.push(segment);
  }
  return segments.join('/');
}
