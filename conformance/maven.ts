import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../scripts/run-command.ts';
import { NotInstallable } from './backends/storage-server.ts';

const cache = join(import.meta.dirname, '../.cache');
const installTimeoutMs = 1_800_000;

/** What Maven is to lay below `.cache`. */
export interface MavenInstall {
  /** The folder below `.cache`. */
  readonly name: string;
  /** Where its `pom.xml` lies. */
  readonly sources: string;
  /** Further files beside it that decide what is installed. */
  readonly files?: readonly string[];
  /** The phase up to which Maven goes. */
  readonly phase: string;
}

/**
 * Gives the folder that the pom names `${work}`, made by Maven at the first call and again when one of the files has changed. A
 * broken-off install leaves nothing half done. Rejects with `NotInstallable` where there is no Java or Maven.
 */
export async function installByMaven({ name, sources, files = [], phase }: MavenInstall): Promise<string> {
  const folder = join(cache, name);
  const read = ['pom.xml', ...files].map((file) => readFile(join(sources, file), 'utf8'));
  const wanted = (await Promise.all(read)).join('\n');
  const present = await readFile(join(folder, 'installed'), 'utf8').catch(() => undefined);
  if (present === wanted) return folder;
  await needJava();
  const stage = `${folder}.${process.pid}`;
  await rm(stage, { recursive: true, force: true });
  await mkdir(stage, { recursive: true });
  const args = ['-B', '-q', '-f', join(sources, 'pom.xml'), `-Dwork=${stage}`, phase];
  const { code, output } = await runCommand('mvn', args, { timeoutMs: installTimeoutMs });
  if (code !== 0) throw new Error(`what ${name} needs could not be fetched\n${output}`);
  await writeFile(join(stage, 'installed'), wanted);
  await rm(folder, { recursive: true, force: true });
  await rename(stage, folder);
  return folder;
}

/** Rejects with `NotInstallable` unless Java and Maven are here. */
export async function needJava(): Promise<void> {
  for (const program of ['java', 'mvn']) {
    const { code } = await runCommand(program, ['-version']);
    if (code !== 0) throw new NotInstallable(`${program} is not installed`);
  }
}
