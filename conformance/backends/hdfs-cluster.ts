import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { freePorts } from '../free-ports.ts';
import { installByMaven } from '../maven.ts';

const startWithinMs = 240_000;
const opens = ['java.lang', 'java.util', 'java.nio', 'sun.nio.ch'].flatMap((name) => [
  '--add-opens',
  `java.base/${name}=ALL-UNNAMED`,
]);
// They are small and soon gone: what starts quickly is better than what runs quickly.
const frugal = ['-Xmx320m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.net.preferIPv4Stack=true'];
const mains = {
  namenode: 'org.apache.hadoop.hdfs.server.namenode.NameNode',
  datanode: 'org.apache.hadoop.hdfs.server.datanode.DataNode',
  httpfs: 'org.apache.hadoop.fs.http.server.HttpFSServerWebServer',
} as const;
export type HdfsServer = keyof typeof mains;

/** Hadoop's jars, laid below `.cache`; `missing` says why there are none. */
export async function findHdfs(): Promise<{ readonly jars: string } | { readonly missing: string }> {
  try {
    // Hadoop 3.4 starts on no later Java than 17.
    const { stderr } = await promisify(execFile)('java', ['-version']);
    const version = /version "(\d+)/.exec(stderr)?.[1];
    if (version !== '17' && version !== '11') return { missing: `it needs Java 17, and java is ${version}` };
    const sources = join(import.meta.dirname, 'hdfs');
    return { jars: join(await installByMaven({ name: 'hdfs', sources, phase: 'package' }), 'jars') };
  } catch (error) {
    return { missing: (error as Error).message };
  }
}

/** One NameNode with one DataNode, each a process of its own on ports of its own on loopback, and HttpFS where it is asked for. */
export class HdfsCluster {
  readonly httpPort: number;
  readonly httpFsPort: number;
  /** Where the DataNode takes requests of WebHDFS. */
  readonly dataPort: number;
  /** Who may do everything. */
  readonly user = userInfo().username;
  private readonly jars: string;
  private readonly folder: string;
  private readonly running = new Map<HdfsServer, ChildProcess>();

  private constructor(
    jars: string,
    folder: string,
    ports: { readonly http: number; readonly httpFs: number; readonly dataHttp: number },
  ) {
    this.jars = jars;
    this.folder = folder;
    this.httpPort = ports.http;
    this.httpFsPort = ports.httpFs;
    this.dataPort = ports.dataHttp;
  }

  static async start(jars: string, properties: Readonly<Record<string, string>> = {}): Promise<HdfsCluster> {
    const folder = await mkdtemp(join(tmpdir(), 'forebay-hdfs-'));
    const [rpc, http, data, dataIpc, dataHttp, httpFs] = (await freePorts(6)) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const cluster = new HdfsCluster(jars, folder, { http, httpFs, dataHttp });
    try {
      await cluster.configure({ rpc, data, dataIpc, dataHttp }, properties);
      await promisify(execFile)('java', cluster.command('namenode', '-format', '-force', '-nonInteractive'));
      cluster.spawn('namenode');
      cluster.spawn('datanode');
      await cluster.ready();
      return cluster;
    } catch (error) {
      const log = await cluster.log();
      await cluster.stop();
      throw new Error(`HDFS does not start\n${log}`, { cause: error });
    }
  }

  /** Where a NameNode takes requests of WebHDFS. */
  get endpoint(): string {
    return `http://127.0.0.1:${this.httpPort}`;
  }

  get httpFsEndpoint(): string {
    return `http://127.0.0.1:${this.httpFsPort}`;
  }

  spawn(server: HdfsServer): void {
    const child = spawn('java', this.command(server), { cwd: this.folder, stdio: 'ignore' });
    this.running.set(server, child);
  }

  async kill(server: HdfsServer): Promise<void> {
    const child = this.running.get(server);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Lets a server stand still, and go on. */
  signal(server: HdfsServer, signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.running.get(server)?.kill(signal);
  }

  /** The NameNode counts a living DataNode and takes changes, and the DataNode has found it. */
  async ready(): Promise<void> {
    await this.until('the DataNode', async () => {
      const url = `http://127.0.0.1:${this.dataPort}/jmx?qry=Hadoop:service=DataNode,name=DataNodeInfo`;
      const { beans } = (await (await fetch(url)).json()) as { beans: { BPServiceActorInfo?: string }[] };
      return beans[0]?.BPServiceActorInfo?.includes('"ActorState":"RUNNING"') ?? false;
    });
    await this.until('the NameNode', async () => {
      const { beans } = (await this.json('/jmx?qry=Hadoop:service=NameNode,name=*State*')) as {
        beans: Record<string, unknown>[];
      };
      const state = beans.find((bean) => 'NumLiveDataNodes' in bean);
      const safe = (await this.json('/jmx?qry=Hadoop:service=NameNode,name=NameNodeInfo')) as typeof state;
      const [info] = (safe as unknown as { beans: Record<string, unknown>[] }).beans;
      return state?.NumLiveDataNodes === 1 && info?.Safemode === '';
    });
  }

  async makeDirectory(path: string): Promise<void> {
    const url = `${this.endpoint}/webhdfs/v1${path}?op=MKDIRS&user.name=${this.user}`;
    const answer = await fetch(url, { method: 'PUT' });
    if (!answer.ok) throw new Error(`${path} cannot be made: ${await answer.text()}`);
  }

  async entries(path: string): Promise<{ name: string; isFile: boolean }[]> {
    const query = `op=LISTSTATUS&user.name=${this.user}`;
    const answer = (await this.json(`/webhdfs/v1${path}?${query}`)) as {
      FileStatuses: { FileStatus: { pathSuffix: string; type: string }[] };
    };
    return answer.FileStatuses.FileStatus.map(({ pathSuffix, type }) => {
      return { name: pathSuffix, isFile: type === 'FILE' };
    });
  }

  /** How `java` runs a program of one source file that is a client of this cluster. */
  clientArguments(program: string): string[] {
    const log = `-Dforebay.log=${join(this.folder, 'client.log')}`;
    return [...opens, ...frugal, log, '-cp', `${join(this.folder, 'conf')}:${this.jars}/*`, program];
  }

  /** Makes empty files, of absolute paths without line breaks. */
  async fill(paths: Iterable<string>): Promise<void> {
    const program = join(import.meta.dirname, 'hdfs/FillDirectory.java');
    const child = spawn('java', this.clientArguments(program), {
      cwd: this.folder,
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    const ended = once(child, 'exit');
    const lines = function* () {
      for (const path of paths) yield `${path}\n`;
    };
    await pipeline(Readable.from(lines()), child.stdin as Writable);
    const [code] = await ended;
    if (code !== 0) throw new Error(`files could not be made: java ended with ${code}`);
  }

  async startHttpFs(): Promise<void> {
    this.spawn('httpfs');
    await this.until('HttpFS', async () => {
      const url = `${this.httpFsEndpoint}/webhdfs/v1/?op=GETFILESTATUS&user.name=${this.user}`;
      return (await fetch(url)).ok;
    });
  }

  /** What the servers complained about. */
  async log(): Promise<string> {
    const names = (await readdir(this.folder)).filter((name) => name.endsWith('.log'));
    const texts = await Promise.all(names.map((name) => readFile(join(this.folder, name), 'utf8')));
    return texts.map((text, i) => `${names[i]}:\n${text.slice(-4_000)}`).join('\n');
  }

  async stop(): Promise<void> {
    await Promise.all([...this.running.keys()].map((server) => this.kill(server)));
    await rm(this.folder, { recursive: true, force: true });
  }

  private async until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const untilMs = performance.now() + startWithinMs;
    for (;;) {
      try {
        if (await isSo()) return;
      } catch {
        // It does not answer yet.
      }
      for (const [server, { exitCode }] of this.running) {
        if (exitCode !== null) throw new Error(`${server} ended with ${exitCode}`);
      }
      if (performance.now() > untilMs) throw new Error(`${what} is not ready`);
      await new Promise((resume) => setTimeout(resume, 100));
    }
  }

  private async json(path: string): Promise<unknown> {
    return (await fetch(this.endpoint + path)).json();
  }

  private command(server: HdfsServer, ...more: string[]): string[] {
    const conf = join(this.folder, 'conf');
    const log = join(this.folder, `${server}.log`);
    const httpFs = ['home', 'config', 'log', 'temp'].map((name) => {
      const path = { home: this.folder, config: conf, log: this.folder, temp: join(this.folder, 'temp') }[
        name
      ];
      return `-Dhttpfs.${name}.dir=${path}`;
    });
    return [
      ...opens,
      ...frugal,
      `-Dforebay.log=${log}`,
      ...(server === 'httpfs' ? httpFs : []),
      '-cp',
      `${conf}:${this.jars}/*`,
      mains[server],
      ...more,
    ];
  }

  private async configure(
    ports: { rpc: number; data: number; dataIpc: number; dataHttp: number },
    properties: Readonly<Record<string, string>>,
  ): Promise<void> {
    const conf = join(this.folder, 'conf');
    // The jar lacks the folders of its web pages, without which no server starts.
    for (const name of ['hdfs', 'datanode', 'static', 'secondary', 'journal']) {
      await mkdir(join(conf, 'webapps', name, 'WEB-INF'), { recursive: true });
    }
    await mkdir(join(this.folder, 'temp'));
    await mkdir(join(this.folder, 'data'), { mode: 0o700 });
    const host = '127.0.0.1';
    const core = {
      'fs.defaultFS': `hdfs://${host}:${ports.rpc}`,
      'hadoop.tmp.dir': join(this.folder, 'temp'),
      [`hadoop.proxyuser.${this.user}.hosts`]: '*',
      [`hadoop.proxyuser.${this.user}.groups`]: '*',
    };
    const hdfs = {
      'dfs.namenode.name.dir': `file://${join(this.folder, 'name')}`,
      'dfs.datanode.data.dir': `file://${join(this.folder, 'data')}`,
      'dfs.namenode.rpc-bind-host': host,
      'dfs.namenode.http-address': `${host}:${this.httpPort}`,
      'dfs.datanode.address': `${host}:${ports.data}`,
      'dfs.datanode.ipc.address': `${host}:${ports.dataIpc}`,
      'dfs.datanode.http.address': `${host}:${ports.dataHttp}`,
      'dfs.datanode.hostname': host,
      'dfs.namenode.datanode.registration.ip-hostname-check': 'false',
      'dfs.replication': '1',
      'dfs.heartbeat.interval': '1',
      'dfs.namenode.safemode.extension': '0',
      'dfs.namenode.resource.du.reserved': '0',
      // What a power loss would take is of no interest here, and waiting for the disk is.
      'dfs.namenode.edits.noeditlogchannelflush': 'true',
      'dfs.namenode.fs-limits.min-block-size': '1024',
      // Small, so that objects of tests lie across the borders of blocks, and lists across those of pages.
      'dfs.blocksize': '1048576',
      'dfs.ls.limit': '7',
      ...properties,
    };
    const httpFs = {
      'httpfs.http.hostname': host,
      'httpfs.http.port': String(this.httpFsPort),
      'httpfs.hadoop.config.dir': conf,
      [`httpfs.proxyuser.${this.user}.hosts`]: '*',
    };
    await writeFile(join(conf, 'core-site.xml'), xmlOf(core));
    await writeFile(join(conf, 'hdfs-site.xml'), xmlOf(hdfs));
    await writeFile(join(conf, 'httpfs-site.xml'), xmlOf(httpFs));
    await writeFile(join(conf, 'httpfs-signature.secret'), 'not much of a secret');
    const lines = [
      'log4j.rootLogger=WARN, file',
      'log4j.appender.file=org.apache.log4j.FileAppender',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: log4j's own.
      'log4j.appender.file.File=${forebay.log}',
      'log4j.appender.file.layout=org.apache.log4j.PatternLayout',
      'log4j.appender.file.layout.ConversionPattern=%d %p %c{1}: %m%n',
    ];
    await writeFile(join(conf, 'log4j.properties'), `${lines.join('\n')}\n`);
    await writeFile(join(conf, 'httpfs-log4j.properties'), `${lines.join('\n')}\n`);
  }
}

function xmlOf(properties: Readonly<Record<string, string>>): string {
  const rows = Object.entries(properties).map(
    ([name, value]) => `<property><name>${name}</name><value>${value}</value></property>`,
  );
  return `<?xml version="1.0"?>\n<configuration>\n${rows.join('\n')}\n</configuration>\n`;
}
