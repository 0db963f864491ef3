import { readFile } from 'node:fs/promises';
import type { Invocation, Option } from './command.ts';
import { CommandError, UsageError } from './errors.ts';

/** A secret is taken from a file or a variable, since arguments can be seen by every user of the machine. */
export const secretOptions: readonly Option[] = [
  { flag: '--secret-access-key-file', placeholder: 'FILE', meaning: 'File that holds the secret access key' },
  {
    flag: '--secret-access-key-env',
    placeholder: 'NAME',
    meaning: 'Variable that holds the secret access key',
  },
];

/** The same of a file of credentials, which is no secret of one line. */
export const credentialsOptions: readonly Option[] = [
  {
    flag: '--credentials-file',
    placeholder: 'FILE',
    meaning:
      'Key file of a service account, or of workload identity federation (gs://); a delegation token (hdfs://)',
  },
  { flag: '--credentials-env', placeholder: 'NAME', meaning: 'Variable that holds the text of such a file' },
  { flag: '--anonymous', meaning: "Without anybody's rights: a bucket that is open to all (gs://)" },
];

/** Undefined if none of the flags is given. Rejects with `UsageError` and `CommandError`. */
export async function readCredentialsOption({
  options,
  environment,
}: Invocation): Promise<string | undefined> {
  const file = options.get('--credentials-file');
  const name = options.get('--credentials-env');
  if (file !== undefined && name !== undefined) {
    throw new UsageError('--credentials-file and --credentials-env exclude each other');
  }
  if (file !== undefined) return textOfFile(file, 'credentials file');
  if (name === undefined) return undefined;
  const value = environment[name];
  if (!value) throw new CommandError(`the variable ${name} is not set, or empty`);
  return value;
}

/** Undefined if none of the flags is given. Rejects with `UsageError` and `CommandError`. */
export async function readSecretOption(invocation: Invocation): Promise<string | undefined> {
  const { options, environment } = invocation;
  const given = ['--secret-access-key', '--secret-access-key-file', '--secret-access-key-env'].filter(
    (flag) => options.has(flag),
  );
  if (given.length > 1) throw new UsageError(`${given.join(' and ')} exclude each other`);
  const file = options.get('--secret-access-key-file');
  if (file !== undefined) return secretOfFile(file);
  const name = options.get('--secret-access-key-env');
  if (name === undefined) return options.get('--secret-access-key');
  const value = environment[name];
  if (!value) throw new CommandError(`the variable ${name} is not set, or empty`);
  return value;
}

async function secretOfFile(path: string): Promise<string> {
  const text = await textOfFile(path, 'secret file');
  // Editors and echo end a line that is no part of the secret.
  const secret = text.replace(/\r?\n$/, '');
  if (secret === '' || secret.includes('\n'))
    throw new CommandError(`${path} must hold the secret alone, on one line`);
  return secret;
}

async function textOfFile(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new CommandError(`cannot read the ${what} ${path} (${(error as NodeJS.ErrnoException).code})`);
  }
}
