import type { RootCredentials } from './running-node.ts';

/** Where a client on this machine finds the root key. */
export type KeySource =
  | { readonly kind: 'file'; readonly path: string }
  /** In `FOREBAY_ROOT_ACCESS_KEY_ID` and `FOREBAY_ROOT_SECRET_ACCESS_KEY`. */
  | { readonly kind: 'environment' }
  /** In flags or a settings file: it has to be filled in. */
  | { readonly kind: 'settings' };

export interface Greeting {
  readonly version: string;
  readonly s3Url: string;
  readonly adminUrl: string;
  readonly region: string;
  readonly accessKeyId: string;
  /** Of a key that was made at this start. */
  readonly newSecret: string | undefined;
  readonly key: KeySource;
  readonly certPath: string | undefined;
}

/** What `forebay serve` prints when the node is ready: where it is, the key, and lines to paste. */
export function greeting(facts: Greeting): string {
  return [
    `Forebay ${facts.version} is ready.`,
    '',
    `  S3 endpoint  ${facts.s3Url}`,
    `  Admin API    ${facts.adminUrl}`,
    `  Region       ${facts.region}`,
    ...keyLines(facts),
    '',
    'With the aws command:',
    '',
    `  ${awsLine(facts)}`,
    '',
    'With boto3:',
    '',
    ...botoLines(facts).map((line) => `  ${line}`),
    '',
  ].join('\n');
}

function keyLines({ accessKeyId, newSecret, key }: Greeting): string[] {
  if (key.kind === 'file' && newSecret !== undefined) {
    return newKeyLines({ accessKeyId, secretAccessKey: newSecret }, key.path);
  }
  const accessKey = `  Access key   ${accessKeyId}`;
  return key.kind === 'file' ? [accessKey, `  Secret key   in ${key.path}`] : [accessKey];
}

/** A key that was made just now, kept in the file `path`. */
export function newKeyLines(key: RootCredentials, path: string): string[] {
  return [
    `  Access key   ${key.accessKeyId}`,
    `  Secret key   ${key.secretAccessKey}`,
    `               shown this once, and kept in ${path}`,
  ];
}

function awsLine({ s3Url, region, key, certPath, accessKeyId }: Greeting): string {
  const variables = certPath === undefined ? [] : [`AWS_CA_BUNDLE=${shellQuote(certPath)}`];
  const flags = ['--endpoint-url', s3Url, '--region', region];
  if (key.kind === 'file') {
    variables.push(`AWS_SHARED_CREDENTIALS_FILE=${shellQuote(key.path)}`);
    // A profile that is named goes before keys that happen to be in the environment.
    flags.push('--profile', 'default');
  } else if (key.kind === 'environment') {
    variables.push('AWS_ACCESS_KEY_ID="$FOREBAY_ROOT_ACCESS_KEY_ID"');
    variables.push('AWS_SECRET_ACCESS_KEY="$FOREBAY_ROOT_SECRET_ACCESS_KEY"');
  } else {
    variables.push(`AWS_ACCESS_KEY_ID=${accessKeyId}`, "AWS_SECRET_ACCESS_KEY='its secret'");
  }
  return [...variables, 'aws', ...flags, 's3', 'ls'].join(' ');
}

function botoLines(facts: Greeting): string[] {
  const { s3Url, region, key, certPath } = facts;
  const endpoint = [`endpoint_url=${quote(s3Url)}`, `region_name=${quote(region)}`];
  if (certPath !== undefined) endpoint.push(`verify=${quote(certPath)}`);
  if (key.kind === 'file') {
    return [
      'import os, boto3',
      `os.environ['AWS_SHARED_CREDENTIALS_FILE'] = ${quote(key.path)}`,
      `s3 = boto3.Session(profile_name='default').client('s3', ${endpoint.join(', ')})`,
      'print(s3.list_buckets()["Buckets"])',
    ];
  }
  const secret =
    key.kind === 'environment' ? "os.environ['FOREBAY_ROOT_SECRET_ACCESS_KEY']" : quote('its secret');
  return [
    'import os, boto3',
    `s3 = boto3.client('s3', ${endpoint.join(', ')},`,
    `    aws_access_key_id=${quote(facts.accessKeyId)}, aws_secret_access_key=${secret})`,
    'print(s3.list_buckets()["Buckets"])',
  ];
}

/** A Python string literal; JSON's escapes are among Python's. */
function quote(text: string): string {
  return JSON.stringify(text);
}

function shellQuote(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
