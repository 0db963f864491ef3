import { mkdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isAccessKeyId, isSecretAccessKey } from '../auth/user-record.ts';
import { generateAccessKeyId, generateSecretAccessKey } from '../auth/user-store.ts';
import type { Random } from '../common/random.ts';
import { CommandError } from './errors.ts';
import type { NodeSecrets, RootCredentials } from './running-node.ts';
import { createSecretFile, readSecretFile } from './secret-file.ts';
import type { Settings } from './settings-table.ts';

const keyBytes = 32;

/**
 * The root key and the encryption key: from the settings, else from the data folder, else made and kept there (the data folder
 * too). `madeRoot`: the root key was made just now, and nobody has seen its secret yet. Rejects with `CommandError`.
 */
export async function prepareSecrets(
  settings: Settings,
  random: Random,
): Promise<{ readonly secrets: NodeSecrets; readonly madeRoot: boolean }> {
  await makeDataFolder(settings.data);
  const encryptionKey = await encryptionKeyOf(settings, random);
  const given = givenRoot(settings);
  if (given) return { secrets: { root: given, encryptionKey }, madeRoot: false };
  const path = rootCredentialsPath(settings);
  const made = {
    accessKeyId: generateAccessKeyId(random),
    secretAccessKey: generateSecretAccessKey(random),
  };
  const present = await readRootCredentials(path);
  if (present) return { secrets: { root: present, encryptionKey }, madeRoot: false };
  const madeRoot = await createSecretFile(path, formatCredentials(made), random);
  const root = madeRoot ? made : await readRootCredentials(path);
  if (!root) throw new CommandError(`${path} was taken away while it was read: start again`);
  return { secrets: { root, encryptionKey }, madeRoot };
}

/** The root key of a node that runs, or ran, on this data folder; undefined if there is none. Rejects with `CommandError`. */
export async function findRootCredentials(settings: Settings): Promise<RootCredentials | undefined> {
  return givenRoot(settings) ?? readRootCredentials(rootCredentialsPath(settings));
}

export function rootCredentialsPath(settings: Settings): string {
  return join(settings.data, 'root-credentials');
}

function givenRoot(settings: Settings): RootCredentials | undefined {
  const accessKeyId = settings['root.accessKeyId'];
  const secretAccessKey = settings['root.secretAccessKey'];
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return { accessKeyId, secretAccessKey };
}

async function makeDataFolder(path: string): Promise<void> {
  try {
    await makeFolders(resolve(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError(`cannot make the data folder ${path} (${code}): set another with --data`);
  }
}

/**
 * A folder and those it lies in, each tried at most twice. Node's own recursive mkdir tries for ever where a folder that exists
 * answers ENOENT to a new one, as those of /proc do.
 */
async function makeFolders(path: string): Promise<void> {
  if (await isMadeOrThere(path)) return;
  const parent = dirname(path);
  if (parent !== path) await makeFolders(parent);
  await mkdir(path, { mode: 0o700 }).catch(async (error: unknown) => {
    // Somebody else may have made it just now.
    if (!(await isFolder(path))) throw error;
  });
}

/** False if the folder it lies in is missing. */
async function isMadeOrThere(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    if (await isFolder(path)) return true;
    throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
}

async function encryptionKeyOf(settings: Settings, random: Random): Promise<Buffer> {
  const given = settings['encryption.keyFile'];
  const path = given ?? join(settings.data, 'secret.key');
  let text = await readSecretFile(path);
  if (text === undefined && given !== undefined) {
    throw new CommandError(
      `the encryption key file ${path} does not exist: make one with  (umask 077; openssl rand -base64 ${keyBytes} > ${path})`,
    );
  }
  if (text === undefined) {
    await createSecretFile(path, `${random.bytes(keyBytes).toString('base64')}\n`, random);
    text = await readSecretFile(path);
  }
  const key = parseKey(text ?? '');
  if (key) return key;
  throw new CommandError(`${path} must hold one key of ${keyBytes} bytes in base64 or hex, on one line`);
}

function parseKey(text: string): Buffer | undefined {
  const line = text.trim();
  if (/^[0-9a-fA-F]{64}$/.test(line)) return Buffer.from(line, 'hex');
  return /^[A-Za-z0-9+/]{43}=$/.test(line) ? Buffer.from(line, 'base64') : undefined;
}

/** In the form of an AWS credentials file, so that SDKs and the aws command can be pointed at it. */
function formatCredentials({ accessKeyId, secretAccessKey }: RootCredentials): string {
  return `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;
}

async function readRootCredentials(path: string): Promise<RootCredentials | undefined> {
  const text = await readSecretFile(path);
  if (text === undefined) return undefined;
  const value = (name: string) => new RegExp(`^${name} *= *(\\S+) *$`, 'm').exec(text)?.[1] ?? '';
  const accessKeyId = value('aws_access_key_id');
  const secretAccessKey = value('aws_secret_access_key');
  if (!isAccessKeyId(accessKeyId) || !isSecretAccessKey(secretAccessKey)) {
    throw new CommandError(
      `${path} must hold the lines aws_access_key_id = … and aws_secret_access_key = …: put it right, or remove it and a new key is made`,
    );
  }
  return { accessKeyId, secretAccessKey };
}
