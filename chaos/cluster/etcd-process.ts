import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { steadyPorts } from './steady-ports.ts';

const script = resolve(import.meta.dirname, '../../scripts/debian-package.sh');
const startWithinMs = 60_000;

/** The etcd of this machine, or one laid below `.cache`; `missing` says why there is none. */
export async function findEtcd(): Promise<{ readonly program: string } | { readonly missing: string }> {
  if ((await run('etcd', ['--version'])).code === 0) return { program: 'etcd' };
  const { code, output } = await run('sh', [script, 'etcd']);
  if (code === 0) return { program: join(output.trim(), 'usr/bin/etcd') };
  return { missing: output.trim() };
}

/** Where an etcd lies and listens, also while it is down. */
interface EtcdPlace {
  readonly program: string;
  readonly folder: string;
  readonly port: number;
  readonly more: readonly string[];
  /** Whether the folder outlives it. */
  readonly isKept: boolean;
}

/** A copy of what an etcd kept. Whoever asked for it removes the folder. */
export interface Snapshot {
  readonly folder: string;
}

/** One etcd process with a folder and a port of its own on loopback. */
export class EtcdServer {
  private readonly place: EtcdPlace;
  private child: ChildProcess;

  private constructor(place: EtcdPlace, child: ChildProcess) {
    this.place = place;
    this.child = child;
  }

  /** `more`: further flags; `kept`: its folder, of its own below the temporary ones if none is given. */
  static async start(program: string, more: readonly string[] = [], kept?: string): Promise<EtcdServer> {
    const folder = kept ?? (await mkdtemp(join(tmpdir(), 'forebay-etcd-')));
    for (let attempt = 1; ; attempt++) {
      const [port = 0] = await steadyPorts(1);
      const place = { program, folder, port, more, isKept: kept !== undefined };
      try {
        return new EtcdServer(place, await launch(place));
      } catch (error) {
        // Somebody may have taken the port meanwhile.
        if (attempt === 3) throw error;
      }
    }
  }

  get port(): number {
    return this.place.port;
  }

  get url(): string {
    return urlOf(this.place);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** It stands still until `resume`. */
  pause(): void {
    this.child.kill('SIGSTOP');
  }

  resume(): void {
    this.child.kill('SIGCONT');
  }

  /** What it keeps now, as a loss of power at this moment would leave it. */
  async snapshot(): Promise<Snapshot> {
    const folder = await mkdtemp(join(tmpdir(), 'forebay-etcd-snapshot-'));
    this.pause();
    try {
      await cp(this.place.folder, folder, { recursive: true });
    } finally {
      this.resume();
    }
    return { folder };
  }

  /** On the same port, with what it kept at the snapshot and nothing since. */
  async restore({ folder }: Snapshot): Promise<void> {
    await this.kill();
    await rm(this.place.folder, { recursive: true, force: true });
    await cp(folder, this.place.folder, { recursive: true });
    this.child = await launch(this.place);
  }

  /** What it kept stays. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }

  /** On the same port, with what it kept. */
  async startAgain(): Promise<void> {
    await this.kill();
    this.child = await launch(this.place);
  }

  /** On the same port, with nothing kept. */
  async startEmpty(): Promise<void> {
    await this.kill();
    await rm(this.place.folder, { recursive: true, force: true });
    this.child = await launch(this.place);
  }

  async close(): Promise<void> {
    await this.kill();
    if (!this.place.isKept) await rm(this.place.folder, { recursive: true, force: true });
  }
}

function urlOf({ port, more }: EtcdPlace): string {
  return `${more.includes('--cert-file') ? 'https' : 'http'}://127.0.0.1:${port}`;
}

async function launch(place: EtcdPlace): Promise<ChildProcess> {
  const { program, folder, port, more } = place;
  const url = urlOf(place);
  const child = spawn(
    program,
    [
      ...['--data-dir', folder, '--name', 'one', '--enable-v2=false', '--logger', 'zap'],
      ...['--log-level', 'error', '--listen-client-urls', url, '--advertise-client-urls', url],
      // A single member talks to no other; it insists on an address all the same.
      ...['--listen-peer-urls', 'http://127.0.0.1:0', '--initial-advertise-peer-urls', 'http://127.0.0.1:1'],
      ...['--initial-cluster', 'one=http://127.0.0.1:1', ...more],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env.PATH } },
  );
  let said = '';
  child.stderr?.on('data', (chunk) => {
    said = (said + chunk).slice(-4000);
  });
  const gone = once(child, 'exit').then(() => Promise.reject(new Error(`etcd ended: ${said}`)));
  gone.catch(() => {});
  try {
    await Promise.race([ready(port), gone]);
    return child;
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/** It opens its port once it serves. */
async function ready(port: number): Promise<void> {
  const deadlineMs = Date.now() + startWithinMs;
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const isOpen = await new Promise<boolean>((done) => {
      socket.on('connect', () => done(true));
      socket.on('error', () => done(false));
    });
    socket.destroy();
    if (isOpen) return;
    if (Date.now() > deadlineMs) throw new Error('etcd does not open its port');
    await new Promise((done) => setTimeout(done, 20));
  }
}

function run(program: string, words: readonly string[]) {
  return new Promise<{ readonly code: number | null; readonly output: string }>((done) => {
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    child.on('error', (error) => done({ code: null, output: String(error) }));
    child.on('close', (code) => done({ code, output }));
  });
}
