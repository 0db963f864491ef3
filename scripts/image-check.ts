import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, cp, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../conformance/free-ports.ts';
import { CleanRoot, type Setting } from './clean-root.ts';
import { type BuildStage, environmentOf, execForm, type Instruction, parseDockerfile } from './dockerfile.ts';
import { runCommand } from './run-command.ts';
import { leftOut, type Outcome } from './stage.ts';

const root = join(import.meta.dirname, '..');
const runTimeoutMs = 120_000;
const readyTimeoutMs = 20_000;
const stopTimeoutMs = 5_000;

/** What the last stage of a build leaves: its files, and how it is to be run. */
interface Image {
  readonly root: CleanRoot;
  readonly setting: Setting;
  readonly instructions: ReadonlyMap<string, Instruction>;
}

/** Copies from the build's context, of which only what .dockerignore lets through exists. */
async function copyFromContext(sources: readonly string[], target: string): Promise<void> {
  const lines = (await readFile(join(root, '.dockerignore'), 'utf8')).split('\n');
  const allowed = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  for (const source of sources) {
    if (!allowed.some((name) => source === name || source.startsWith(`${name}/`))) {
      throw new Error(`COPY ${source}: .dockerignore does not let it through`);
    }
    const into = (await stat(join(root, source))).isDirectory()
      ? target
      : join(target, source.split('/').at(-1) ?? '');
    await cp(join(root, source), into, { recursive: true });
  }
}

async function copy(
  instruction: Instruction,
  image: CleanRoot,
  workingFolder: string,
  built: Map<string, Image>,
) {
  const words = instruction.text.split(/\s+/);
  const target = join(image.folder, resolve(workingFolder, words.at(-1) ?? ''));
  const sources = words.slice(0, -1);
  const from = instruction.flags.get('from');
  await mkdir(dirname(target), { recursive: true });
  if (from === undefined) return copyFromContext(sources, target);
  const other = built.get(from);
  if (other === undefined) throw new Error(`COPY --from=${from}: there is no such stage before it`);
  for (const source of sources) await cp(join(other.root.folder, source), target, { recursive: true });
}

/** How this machine reaches the package registry, which a builder would be told too. No part of the image. */
async function networkEnvironment(): Promise<Record<string, string>> {
  const names = [
    'NODE_EXTRA_CA_CERTS',
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'NO_PROXY',
    'http_proxy',
    'https_proxy',
    'no_proxy',
  ];
  const set = names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  const environment: Record<string, string> = {
    ...Object.fromEntries(set),
    npm_config_prefer_offline: 'true',
  };
  for (const key of ['registry', 'cafile']) {
    const value = await npmSetting(key);
    if (value !== '' && value !== 'null') environment[`npm_config_${key}`] = value;
  }
  return environment;
}

async function npmSetting(key: string): Promise<string> {
  return (await runCommand('npm', ['config', 'get', key, '--loglevel=silent'])).output.trim();
}

/** Carries one stage's instructions out in a clean root. */
async function build(stage: BuildStage, image: CleanRoot, built: Map<string, Image>): Promise<Image> {
  const network = await networkEnvironment();
  await image.create();
  let setting: Setting = { user: 'root', workingFolder: '/', environment: {} };
  const instructions = new Map<string, Instruction>();
  for (const instruction of stage.instructions) {
    instructions.set(instruction.name, instruction);
    const { name, text } = instruction;
    if (name === 'WORKDIR') {
      setting = { ...setting, workingFolder: resolve(setting.workingFolder, text) };
      await mkdir(join(image.folder, setting.workingFolder), { recursive: true });
    } else if (name === 'ENV') {
      setting = { ...setting, environment: { ...setting.environment, ...environmentOf(text) } };
    } else if (name === 'USER') {
      setting = { ...setting, user: text === 'node' ? 'node' : 'root' };
    } else if (name === 'COPY') {
      await copy(instruction, image, setting.workingFolder, built);
    } else if (name === 'RUN') {
      const environment = { ...network, ...setting.environment };
      const { code, output } = await image.run(
        ['/bin/sh', '-c', text],
        { ...setting, environment },
        runTimeoutMs,
      );
      if (code !== 0) throw new Error(`RUN ${text}\n${output}`);
    }
  }
  return { root: image, setting, instructions };
}

/** A claim about the image, and whether it holds. */
type Check = readonly [claim: string, holds: boolean];

function checkText(image: Image, text: string): Check[] {
  const get = (name: string): string => image.instructions.get(name)?.text ?? '';
  return [
    ['it does not run as root', image.setting.user === 'node'],
    ['it listens on every address', image.setting.environment.FOREBAY_HOST === '0.0.0.0'],
    ['its data are a volume', get('VOLUME').includes(image.setting.environment.FOREBAY_DATA ?? 'nowhere')],
    ['it names its ports', ['9000', '9001'].every((port) => get('EXPOSE').split(/\s+/).includes(port))],
    ['its entry point gets signals', execForm(get('ENTRYPOINT')) !== undefined],
    ['it names no secret', !/(SECRET|PASSWORD|ACCESS_KEY|TOKEN)\w*=/.test(text)],
  ];
}

const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

async function becomesHealthy(health: () => Promise<boolean>, child: ChildProcess): Promise<boolean> {
  const deadline = Date.now() + readyTimeoutMs;
  while (Date.now() < deadline && !ended(child)) {
    if (await health()) return true;
    await sleep(100);
  }
  return false;
}

/** Runs the image's entry point as its user until it is healthy, looks around, and stops it as a container is stopped. */
async function checkRun(image: Image): Promise<{ checks: Check[]; output: string }> {
  const [s3Port, adminPort] = await freePorts(2);
  const overrides = {
    FOREBAY_HOST: '127.0.0.1',
    FOREBAY_S3_PORT: `${s3Port}`,
    FOREBAY_ADMIN_PORT: `${adminPort}`,
  };
  const setting: Setting = { ...image.setting, environment: { ...image.setting.environment, ...overrides } };
  const words = (name: string): string[] =>
    execForm(image.instructions.get(name)?.text.replace(/^CMD\s+/, '') ?? '') ?? [];
  const health = async (): Promise<boolean> =>
    (await image.root.run(words('HEALTHCHECK'), setting, runTimeoutMs)).code === 0;
  const data = join(image.root.folder, setting.environment.FOREBAY_DATA ?? '');

  const checks: Check[] = [['the health check fails while nothing runs', !(await health())]];
  const child = image.root.start([...words('ENTRYPOINT'), ...words('CMD')], setting);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
  try {
    checks.push(['it becomes healthy', await becomesHealthy(health, child)]);
    const files = await readdir(data);
    const owners = await Promise.all(files.map(async (name) => (await stat(join(data, name))).uid));
    checks.push([
      'it writes to its volume as its user',
      owners.length > 0 && owners.every((uid) => uid === 1000),
    ]);
    const pid = await image.root.innerPid(child);
    if (pid !== undefined) process.kill(pid, 'SIGTERM');
    await Promise.race([ended(child) ? undefined : once(child, 'exit'), sleep(stopTimeoutMs)]);
    checks.push(['SIGTERM ends it in time, with 0', child.exitCode === 0]);
  } finally {
    child.kill('SIGKILL');
  }
  return { checks, output };
}

/** Builds the image without an image builder, by carrying its Dockerfile out in a clean root, and runs it there. */
export async function runImageCheck(): Promise<Outcome> {
  if (process.getuid?.() !== 0) return leftOut('a clean root needs root rights');
  const namespaces = await runCommand('unshare', ['--mount', '--pid', '--fork', 'true']);
  if (namespaces.code !== 0) return leftOut(`no mount namespace is to be had: ${namespaces.output.trim()}`);
  const npm = process.env.npm_execpath;
  if (npm === undefined) return leftOut('which npm to use is known only when npm runs this');
  const cache = await npmSetting('cache');
  const folder = await mkdtemp(join(tmpdir(), 'forebay-image-'));
  try {
    await mkdir(cache, { recursive: true });
    const text = await readFile(join(root, 'Dockerfile'), 'utf8');
    const built = new Map<string, Image>();
    let image: Image | undefined;
    for (const stage of parseDockerfile(text)) {
      image = await build(
        stage,
        new CleanRoot(join(folder, stage.name), dirname(dirname(npm)), cache),
        built,
      );
      built.set(stage.name, image);
    }
    if (image === undefined) throw new Error('the Dockerfile has no stage');
    const modules = join(image.root.folder, image.setting.workingFolder, 'node_modules');
    const hasJest = await access(join(modules, 'jest')).then(
      () => true,
      () => false,
    );
    const run = await checkRun(image);
    const checks: Check[] = [
      ...checkText(image, text),
      ['it holds no development dependency', !hasJest],
      ...run.checks,
    ];
    const broken = checks.filter(([, holds]) => !holds).map(([claim]) => `does not hold: ${claim}`);
    const report = [...broken, run.output].join('\n');
    return { passed: checks.length - broken.length, failed: broken.length, skipped: 0, report };
  } catch (error) {
    return { passed: 0, failed: 1, skipped: 0, report: String(error) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
