import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import aws4 from 'aws4';
import { answers, ChildServer } from '../../conformance/child-server.ts';
import type { Keys } from '../cluster/cluster-folder.ts';
import { plainEnvironment } from '../cluster/environment.ts';
import { steadyPorts } from '../cluster/steady-ports.ts';

const program = join(import.meta.dirname, '../../src/cli/main.ts');
const readyTimeoutMs = 120_000;
const stopTimeoutMs = 30_000;
const maxStarts = 30;

export interface LoneNodeOptions {
  /** Everything that it keeps lies below. */
  readonly dataFolder: string;
  readonly logFile: string;
  readonly root: Keys;
  readonly keyFile: string;
  /** Further settings. */
  readonly settings: Readonly<Record<string, string>>;
}

/** One `forebay serve` without a cluster, which is killed and started again in its place. */
export class LoneNode {
  readonly s3Port: number;
  /** Starts that ended before it was ready, as on a disk that is full. */
  failedStarts = 0;
  private readonly adminPort: number;
  private readonly options: LoneNodeOptions;
  private server: ChildServer | undefined;

  private constructor(s3Port: number, adminPort: number, options: LoneNodeOptions) {
    this.s3Port = s3Port;
    this.adminPort = adminPort;
    this.options = options;
  }

  /** Not started yet. */
  static async plan(options: LoneNodeOptions): Promise<LoneNode> {
    const [s3Port = 0, adminPort = 0] = await steadyPorts(2);
    return new LoneNode(s3Port, adminPort, options);
  }

  /** Resolves when it is ready; it is started again where it ended before. Rejects, with the end of its log, if it never is. */
  async start(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        this.server = await this.launch();
        return;
      } catch (error) {
        if (attempt === maxStarts) throw error;
        this.failedStarts += 1;
      }
      await sleep(300);
    }
  }

  /** Resolves when it is gone. */
  async kill(): Promise<void> {
    const { server } = this;
    if (server?.isAlive) process.kill(server.pid, 'SIGKILL');
    while (server?.isAlive) await sleep(5);
  }

  async stop(): Promise<void> {
    await this.server?.stop();
  }

  /** The answer's JSON. Rejects unless it is a 2xx. */
  async admin(method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const host = `127.0.0.1:${this.adminPort}`;
    const { headers } = aws4.sign(
      {
        method,
        path,
        host,
        service: 'forebay',
        region: 'us-east-1',
        body: text,
        headers: {
          'X-Amz-Content-Sha256': createHash('sha256').update(text).digest('hex'),
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        },
      },
      this.options.root,
    );
    const answer = await fetch(`http://${host}${path}`, {
      method,
      headers: headers as Record<string, string>,
      ...(body === undefined ? {} : { body: text }),
      signal: AbortSignal.timeout(60_000),
    });
    const said = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${said}`);
    return JSON.parse(said);
  }

  private launch(): Promise<ChildServer> {
    const { dataFolder, logFile, root, keyFile, settings } = this.options;
    return ChildServer.start({
      name: 'the node',
      command: process.execPath,
      args: [program, 'serve'],
      cwd: dataFolder,
      env: {
        FOREBAY_LOG_LEVEL: 'error',
        ...plainEnvironment(),
        FOREBAY_DATA: join(dataFolder, 'node'),
        FOREBAY_S3_PORT: String(this.s3Port),
        FOREBAY_ADMIN_PORT: String(this.adminPort),
        FOREBAY_ENCRYPTION_KEY_FILE: keyFile,
        FOREBAY_ROOT_ACCESS_KEY_ID: root.accessKeyId,
        FOREBAY_ROOT_SECRET_ACCESS_KEY: root.secretAccessKey,
        ...settings,
      },
      logFile,
      readyTimeoutMs,
      stopTimeoutMs,
      isReady: () => answers(`http://127.0.0.1:${this.adminPort}/readyz`, 200),
    });
  }
}
