import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CommandResult, runCommand } from './run-command.ts';

/** Who runs a command inside a root, where, and with which environment, which is the whole of it. */
export interface Setting {
  readonly user: 'root' | 'node';
  readonly workingFolder: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Read-only parts of this machine that stand for the base image's system. */
const systemFolders = ['usr', 'bin', 'sbin', 'lib', 'lib64', 'etc/ssl', 'etc/alternatives'];

/** The user id that the official Node images give to `node`. */
const nodeUser = '1000:1000';
const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const shellQuote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * A folder that commands see as the whole file system, through mount and process-id namespaces and chroot. Of this machine
 * they see its libraries and shell, read-only; `/usr/local` holds the pinned Node and npm and nothing else. Needs root.
 */
export class CleanRoot {
  readonly folder: string;
  private readonly npmFolder: string;
  private readonly npmCache: string;

  /** `npmCache` is shared with the root, so that packages are not fetched again. */
  constructor(folder: string, npmFolder: string, npmCache: string) {
    this.folder = folder;
    this.npmFolder = npmFolder;
    this.npmCache = npmCache;
  }

  /** Lays out what the base image has. */
  async create(): Promise<void> {
    const folders = [
      'dev',
      'proc',
      'tmp',
      'root/.npm',
      'home/node',
      'etc',
      '.local/bin',
      '.local/npm',
      ...systemFolders,
    ];
    for (const name of folders) await mkdir(join(this.folder, name), { recursive: true });
    await chmod(join(this.folder, 'tmp'), 0o1777);
    const users = 'root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n';
    await writeFile(join(this.folder, 'etc/passwd'), users);
    await writeFile(join(this.folder, 'etc/group'), 'root:x:0:\nnode:x:1000:\n');
    for (const name of ['resolv.conf', 'hosts', 'nsswitch.conf']) {
      await cp(join('/etc', name), join(this.folder, 'etc', name), { dereference: true }).catch(
        () => undefined,
      );
    }
    await writeFile(join(this.folder, '.local/bin/node'), '');
    const npm = join(this.folder, '.local/bin/npm');
    await writeFile(npm, '#!/bin/sh\nexec node /usr/local/npm/bin/npm-cli.js "$@"\n');
    await chmod(npm, 0o755);
  }

  /** Runs a command inside to its end. */
  run(command: readonly string[], setting: Setting, timeoutMs: number): Promise<CommandResult> {
    const [program = '', ...args] = this.wrap(command, setting);
    return runCommand(program, args, { env: {}, timeoutMs });
  }

  /** Starts a command inside as process 1 of its own process-id namespace. */
  start(command: readonly string[], setting: Setting): ChildProcess {
    const [program = '', ...args] = this.wrap(command, setting);
    return spawn(program, args, { env: {}, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** The process id, as seen from outside, of what `start` started. */
  async innerPid(child: ChildProcess): Promise<number | undefined> {
    const tasks = await readdir(`/proc/${child.pid}/task`);
    const { output } = await runCommand(
      'cat',
      tasks.map((task) => `/proc/${child.pid}/task/${task}/children`),
    );
    const pid = Number.parseInt(output, 10);
    return Number.isNaN(pid) ? undefined : pid;
  }

  private wrap(command: readonly string[], setting: Setting): string[] {
    const root = shellQuote(this.folder);
    const bind = (source: string, target: string): string =>
      `mount --bind ${source} ${root}/${target} && mount -o remount,bind,ro ${root}/${target}`;
    const assignments = Object.entries({
      PATH: searchPath,
      HOME: setting.user === 'root' ? '/root' : '/home/node',
      ...setting.environment,
    }).map(([name, value]) => shellQuote(`${name}=${value}`));
    const script = [
      'set -e',
      'mount --make-rprivate /',
      ...systemFolders.map((name) => `if [ -d /${name} ]; then ${bind(`/${name}`, name)}; fi`),
      bind(`${root}/.local`, 'usr/local'),
      bind(shellQuote(process.execPath), 'usr/local/bin/node'),
      bind(shellQuote(this.npmFolder), 'usr/local/npm'),
      `mount --bind ${shellQuote(this.npmCache)} ${root}/root/.npm`,
      `mount --rbind /dev ${root}/dev`,
      `mount -t proc proc ${root}/proc`,
      `exec chroot ${setting.user === 'node' ? `--userspec=${nodeUser}` : ''} ${root} /usr/bin/env -i ` +
        `${assignments.join(' ')} /bin/sh -c 'cd "$1" && shift && exec "$@"' sh ` +
        [setting.workingFolder, ...command].map(shellQuote).join(' '),
    ].join('\n');
    return ['/usr/bin/unshare', '--mount', '--pid', '--fork', '--kill-child', '/bin/sh', '-c', script];
  }
}
