import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from './free-ports.ts';

const root = join(import.meta.dirname, '..');
const readyTimeoutMs = 30_000;
/** `forebay serve` promises to end within this time. */
const stopTimeoutMs = 5_000;

/** A real `forebay serve` in a process of its own, on free ports and an empty data folder. */
export interface RunningNode {
  readonly s3Port: number;
  readonly adminPort: number;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** The domain whose sub-domains name buckets. */
  readonly domain: string;
  readonly dataFolder: string;
  readonly pid: number;
  isAlive(): boolean;
  /** The last part of what it wrote to standard error. */
  logTail(): Promise<string>;
  /**
   * Ends it by SIGTERM and removes its data. Rejects if it had ended before, did not end in time, or not with exit
   * code 0.
   */
  stop(): Promise<void>;
}

/** The environment without settings of a Forebay or of an S3 client that the caller happens to have. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env);
  return Object.fromEntries(entries.filter(([name]) => !/^(FOREBAY_|AWS_|NODE_OPTIONS$)/.test(name)));
}

async function waitUntilReady(adminPort: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + readyTimeoutMs;
  while (Date.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`the node ended with ${child.exitCode ?? child.signalCode} before it was ready`);
    }
    const answer = await fetch(`http://127.0.0.1:${adminPort}/readyz`).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.status === 200) return;
    await sleep(50);
  }
  throw new Error(`the node was not ready after ${readyTimeoutMs} ms`);
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) {
    throw new Error(`the node had ended by itself with ${child.exitCode ?? child.signalCode}`);
  }
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const inTime = await Promise.race([ended.then(() => true), sleep(stopTimeoutMs, false, { ref: false })]);
  if (!inTime) {
    child.kill('SIGKILL');
    await ended;
    throw new Error(`the node did not end within ${stopTimeoutMs} ms of SIGTERM`);
  }
  if (child.exitCode !== 0) throw new Error(`the node ended with ${child.exitCode ?? child.signalCode}`);
}

/** Starts a node and waits until it is ready; `settings` are further environment variables. */
export async function startNode(settings: Readonly<Record<string, string>> = {}): Promise<RunningNode> {
  const folder = await mkdtemp(join(tmpdir(), 'forebay-node-'));
  const [s3Port = 0, adminPort = 0, peerPort = 0] = await freePorts(3);
  const domain = 's3.forebay.test';
  const accessKeyId = 'CONFORMANCEROOT';
  const secretAccessKey = 'conformance/root+secret';
  const logFile = join(folder, 'log');
  const log = openSync(logFile, 'a');
  const child = spawn(process.execPath, [join(root, 'src/cli/main.ts'), 'serve'], {
    cwd: folder,
    env: {
      ...cleanEnvironment(),
      FOREBAY_DATA: join(folder, 'data'),
      FOREBAY_S3_PORT: String(s3Port),
      FOREBAY_ADMIN_PORT: String(adminPort),
      FOREBAY_PEER_PORT: String(peerPort),
      FOREBAY_DOMAINS: domain,
      FOREBAY_ROOT_ACCESS_KEY_ID: accessKeyId,
      FOREBAY_ROOT_SECRET_ACCESS_KEY: secretAccessKey,
      ...settings,
    },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const logTail = async (): Promise<string> => (await readFile(logFile, 'utf8')).slice(-4_000);
  try {
    await waitUntilReady(adminPort, child);
  } catch (error) {
    child.kill('SIGKILL');
    const tail = await logTail();
    await rm(folder, { recursive: true, force: true });
    throw new Error(`${error instanceof Error ? error.message : error}\n${tail}`);
  }
  return {
    s3Port,
    adminPort,
    accessKeyId,
    secretAccessKey,
    domain,
    dataFolder: join(folder, 'data'),
    pid: child.pid ?? 0,
    isAlive: () => child.exitCode === null && child.signalCode === null,
    logTail,
    stop: async () => {
      const tail = logTail();
      try {
        await stopChild(child);
      } catch (error) {
        throw new Error(`${error instanceof Error ? error.message : error}\n${await tail}`);
      } finally {
        await tail;
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}
