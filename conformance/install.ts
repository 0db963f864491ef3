import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../scripts/run-command.ts';
import { NotInstallable } from './backends/storage-server.ts';
import type { Client } from './clients.ts';
import { installByMaven } from './maven.ts';

const root = join(import.meta.dirname, '..');

/**
 * Installs a client below `.cache`, where it is not there yet, and gives the variables by which its suite finds it. Runs
 * before the suite, with the caller's own HOME, so that the caller's package caches are used.
 */
export async function installClient(client: Client): Promise<NodeJS.ProcessEnv> {
  const env: NodeJS.ProcessEnv = { PACKAGES: client.packages ?? '' };
  if (client.runner === 'pytest') await installPython(env);
  if (client.debian !== undefined) Object.assign(env, await installDebian(client.debian));
  if (client.jars) Object.assign(env, await installJars(client.name));
  return env;
}

async function installPython(env: NodeJS.ProcessEnv): Promise<void> {
  const venv = await runCommand('python3', ['-c', 'import venv, ensurepip']);
  if (venv.code !== 0) throw new NotInstallable('python3 with venv is not installed');
  const script = join(root, 'scripts/with-python.sh');
  const { code, output } = await runCommand('sh', [script, '-c', ''], { env: { ...process.env, ...env } });
  if (code !== 0) throw new Error(output);
}

async function installDebian(name: string): Promise<NodeJS.ProcessEnv> {
  const { code, output } = await runCommand('sh', [join(root, 'scripts/debian-package.sh'), name]);
  if (code !== 0) throw new NotInstallable(output.trim());
  return { DEBIAN_ROOT: output.trim() };
}

/** What the `pom.xml` in the suite's folder names, and the class path where it writes one. */
async function installJars(name: string): Promise<NodeJS.ProcessEnv> {
  const sources = join(root, 'conformance', name);
  const work = await installByMaven({ name, sources, phase: 'package' });
  const classPath = await readFile(join(work, 'class-path'), 'utf8').catch(() => '');
  return { MAVEN_WORK: work, CLASS_PATH: classPath };
}
