import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answers, ChildServer } from './child-server.ts';
import { freePorts } from './free-ports.ts';

const root = join(import.meta.dirname, '..');

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

/**
 * The environment without settings of a Forebay or of an S3 client that the caller happens to have, but for the number of I/O threads:
 * so every suite can be run with several.
 */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(FOREBAY_(?!IO_THREADS$)|AWS_|NODE_OPTIONS$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

/** Starts a node and waits until it is ready; `settings` are further environment variables. */
export async function startNode(settings: Readonly<Record<string, string>> = {}): Promise<RunningNode> {
  const folder = await mkdtemp(join(tmpdir(), 'forebay-node-'));
  const [s3Port = 0, adminPort = 0, peerPort = 0] = await freePorts(3);
  const domain = 's3.forebay.test';
  const accessKeyId = 'CONFORMANCEROOT';
  const secretAccessKey = 'conformance/root+secret';
  const dataFolder = join(folder, 'data');
  let server: ChildServer;
  try {
    server = await ChildServer.start({
      name: 'the node',
      command: process.execPath,
      args: [join(root, 'src/cli/main.ts'), 'serve'],
      cwd: folder,
      env: {
        ...cleanEnvironment(),
        FOREBAY_DATA: dataFolder,
        FOREBAY_S3_PORT: String(s3Port),
        FOREBAY_ADMIN_PORT: String(adminPort),
        FOREBAY_PEER_PORT: String(peerPort),
        FOREBAY_DOMAINS: domain,
        FOREBAY_ROOT_ACCESS_KEY_ID: accessKeyId,
        FOREBAY_ROOT_SECRET_ACCESS_KEY: secretAccessKey,
        ...settings,
      },
      logFile: join(folder, 'log'),
      readyTimeoutMs: 30_000,
      // `forebay serve` promises to end within this time.
      stopTimeoutMs: 5_000,
      isReady: () => answers(`http://127.0.0.1:${adminPort}/readyz`, 200),
    });
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    s3Port,
    adminPort,
    accessKeyId,
    secretAccessKey,
    domain,
    dataFolder,
    pid: server.pid,
    isAlive: () => server.isAlive,
    logTail: () => server.logTail(),
    stop: async () => {
      const tail = server.logTail();
      try {
        const code = await server.stop();
        if (code !== 0) throw new Error(`the node ended with ${code}`);
      } catch (error) {
        throw new Error(`${error instanceof Error ? error.message : error}\n${await tail}`);
      } finally {
        await tail;
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}
