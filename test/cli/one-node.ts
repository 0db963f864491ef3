import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { startNode } from '../../src/cli/node.ts';
import { run } from '../../src/cli/run.ts';
import type { RunningNode } from '../../src/cli/running-node.ts';
import { resolveSettings } from '../../src/cli/settings.ts';
import { silentLog } from '../../src/common/log.ts';

export interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export const rootKey: Key = { accessKeyId: 'AKIDROOTOFTHENODE', secretAccessKey: 'secret-of-the-node' };
const quiet = { log: silentLog(), lines: { write: () => {} }, droppedLines: () => 0 };

/** What a command printed, on stdout and on stderr, and how it ended. */
export interface Said {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

/** One whole node in this process, on a data folder of its own, and the command line as its client. */
export class OneNode {
  readonly folder: string;
  readonly data: string;
  private node: RunningNode | undefined;

  private constructor(folder: string) {
    this.folder = folder;
    this.data = join(folder, 'data');
  }

  static async start(more: Record<string, string> = {}): Promise<OneNode> {
    const one = new OneNode(await mkdtemp(join(tmpdir(), 'forebay-one-')));
    await one.open(more);
    return one;
  }

  async open(more: Record<string, string> = {}): Promise<void> {
    const environment = { FOREBAY_DATA: this.data, FOREBAY_S3_PORT: '0', FOREBAY_ADMIN_PORT: '0', ...more };
    const { settings } = resolveSettings({ flags: new Map(), environment });
    this.node = await startNode(settings, { root: rootKey, encryptionKey: Buffer.alloc(32, 7) }, quiet);
  }

  get running(): RunningNode {
    if (this.node) return this.node;
    throw new Error('the node was ended');
  }

  client(credentials: Key = rootKey): S3Client {
    const about = { endpoint: this.running.s3Url, region: 'us-east-1', maxAttempts: 1 };
    return new S3Client({ ...about, credentials, forcePathStyle: true });
  }

  /** Runs a command line; words are parted by blanks. */
  async forebay(line: string | readonly string[], key: Key = rootKey): Promise<Said> {
    const out: string[] = [];
    const err: string[] = [];
    const exitCode = await run(typeof line === 'string' ? line.split(' ') : line, {
      environment: {
        FOREBAY_ADMIN_URL: this.running.adminUrl,
        AWS_ACCESS_KEY_ID: key.accessKeyId,
        AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
      },
      print: (text) => out.push(text),
      printError: (text) => err.push(text),
    });
    return { exitCode, out: out.join('\n'), err: err.join('\n') };
  }

  async end(): Promise<void> {
    await this.node?.close();
    this.node = undefined;
  }

  async close(): Promise<void> {
    await this.end();
    await rm(this.folder, { recursive: true, force: true });
  }
}
