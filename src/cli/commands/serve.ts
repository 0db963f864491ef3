import { resolve } from 'node:path';
import { systemClock } from '../../common/clock.ts';
import { createLog, type Log } from '../../common/log.ts';
import { LogWriter } from '../../common/log-writer.ts';
import { systemRandom } from '../../common/random.ts';
import { CoordError } from '../../coord/store.ts';
import type { Command, Invocation } from '../command.ts';
import { CommandError } from '../errors.ts';
import { greeting, type KeySource, newKeyLines } from '../greeting.ts';
import { prepareSecrets, rootCredentialsPath } from '../node-secrets.ts';
import type { RootCredentials, RunningNode } from '../running-node.ts';
import type { LoadedSettings } from '../settings.ts';
import { flagOf, type Settings } from '../settings-table.ts';
import { readVersion } from './version.ts';

/** After a signal the process is gone within this time, whatever hangs. */
const endWithinMs = 4_800;
const logFlushMs = 300;
/** Signals that come so close together are one wish. */
const sameWishMs = 1000;

/** `forebay serve` */
export const serveCommand: Command = {
  words: ['serve'],
  arguments: [],
  options: [],
  summary: 'Run a node in the foreground until SIGTERM or SIGINT',
  showsSettings: true,
  run: async (invocation) => {
    const loaded = await invocation.settings();
    const { settings } = loaded;
    const { refuseUnfitForCluster } = await import('../coordination.ts');
    await refuseUnfitForCluster(settings);
    const { secrets, madeRoot } = await prepareSecrets(settings, systemRandom);
    const writer = new LogWriter(process.stderr);
    const log = createLog(settings['log.level'], writer);
    process.on('uncaughtExceptionMonitor', () => writer.send());
    const asked = untilAskedToEnd();
    const stop = new AbortController();
    void asked.then(() => stop.abort());
    const node = await start(settings, () =>
      startNode(
        settings,
        secrets,
        { log, lines: writer, droppedLines: () => writer.droppedLines },
        stop.signal,
      ),
    ).catch((error: unknown) => {
      // It is kept, and no later start shows its secret.
      if (madeRoot) tellNewKey(invocation, secrets.root, rootCredentialsPath(settings));
      if (error !== stop.signal.reason) throw error;
    });
    // Asked to end while it waited for its cluster.
    if (!node) return 0;
    announce(invocation, node, {
      version: await readVersion(),
      region: settings.region,
      accessKeyId: secrets.root.accessKeyId,
      newSecret: madeRoot ? secrets.root.secretAccessKey : undefined,
      key: keySource(loaded),
      certPath: settings['tls.cert'] === undefined ? undefined : resolve(settings['tls.cert']),
    });
    const signal = await asked;
    log.info({ signal }, 'the node is going down');
    await end(node, log);
    await writer.flush(logFlushMs);
    return 0;
  },
};

/** Loaded only here, so that the other commands start without the whole node. */
async function startNode(...given: Parameters<import('../running-node.ts').StartNode>): Promise<RunningNode> {
  const node = await import('../node.ts');
  return node.startNode(...given);
}

/** Starts, and says of what commonly stands in the way what to do about it. */
async function start(settings: Settings, run: () => Promise<RunningNode>): Promise<RunningNode> {
  try {
    return await run();
  } catch (error) {
    throw explainStart(settings, error) ?? error;
  }
}

function explainStart(settings: Settings, error: unknown): CommandError | undefined {
  if (error instanceof CoordError && error.kind === 'locked') {
    return new CommandError(
      `the data folder ${settings.data} is in use by another node: stop that one, or set another folder with --data`,
    );
  }
  const { code, syscall, port } = error as NodeJS.ErrnoException & { port?: number };
  if (syscall !== 'listen' && syscall !== 'bind' && syscall !== 'getaddrinfo') return undefined;
  const key = (['admin.port', 'peer.port'] as const).find((one) => settings[one] === port) ?? 's3.port';
  if (code === 'EADDRINUSE') {
    return new CommandError(
      `port ${port} on ${settings.host} is in use: stop what listens there, or set another with ${flagOf(key)}`,
    );
  }
  if (code === 'EACCES') {
    return new CommandError(
      `port ${port} may not be opened by this user: set one above 1023 with ${flagOf(key)}`,
    );
  }
  return new CommandError(
    `cannot listen on ${settings.host} (${code}): set an address of this machine with --host`,
  );
}

function keySource({ settings, sources }: LoadedSettings): KeySource {
  if (settings['root.accessKeyId'] === undefined) {
    return { kind: 'file', path: resolve(rootCredentialsPath(settings)) };
  }
  const inEnvironment = sources['root.secretAccessKey'] === 'FOREBAY_ROOT_SECRET_ACCESS_KEY';
  return inEnvironment ? { kind: 'environment' } : { kind: 'settings' };
}

function announce(
  invocation: Invocation,
  node: RunningNode,
  facts: Omit<Parameters<typeof greeting>[0], 's3Url' | 'adminUrl'>,
): void {
  if (!invocation.json) {
    invocation.print(greeting({ ...facts, s3Url: node.s3Url, adminUrl: node.adminUrl }));
    return;
  }
  const { accessKeyId, newSecret: secretAccessKey } = facts;
  const { s3Url: s3, adminUrl: admin } = node;
  invocation.print(JSON.stringify({ s3, admin, pid: process.pid, accessKeyId, secretAccessKey }));
}

function tellNewKey({ json, print }: Invocation, root: RootCredentials, path: string): void {
  if (json) print(JSON.stringify({ ...root }));
  else for (const line of newKeyLines(root, resolve(path))) print(line);
}

/** A part that hangs does not keep the process: nothing acknowledged depends on an orderly end. */
async function end(node: RunningNode, log: Log): Promise<void> {
  setTimeout(() => process.exit(1), endWithinMs).unref();
  try {
    await node.close();
  } catch (error) {
    log.error({ err: error }, 'the node did not end in order');
  }
}

/**
 * Resolves with the first signal. A later one ends the process at once, but for the same wish told twice: Ctrl-C reaches every process of
 * a terminal, and npm hands on what it gets.
 */
function untilAskedToEnd(): Promise<string> {
  let askedMs: number | undefined;
  return new Promise((resolveSignal) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (askedMs === undefined) {
          askedMs = systemClock.monotonicMs();
          resolveSignal(signal);
        } else if (systemClock.monotonicMs() - askedMs > sameWishMs) process.exit(1);
      });
    }
  });
}
