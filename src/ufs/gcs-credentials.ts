import type { Agent } from 'node:http';
import { Storage } from '@google-cloud/storage';
import { type AuthClient, AwsClient, IdentityPoolClient, JWT, UserRefreshClient } from 'google-auth-library';
import { abortable } from '../common/abortable.ts';
import { UfsError } from './errors.ts';
import type { GcsCredentials } from './gcs-settings.ts';

/** What a token may be used for at most: objects, and no policies. */
const scopes = ['https://www.googleapis.com/auth/devstorage.read_write'];

/** How requests for tokens go: over the mount's own connections, proxy and certificates. */
type Way = { readonly transporterOptions: { readonly agent: (url: URL) => Agent } };

/** Kinds of credential files that are taken ("Application Default Credentials", and workload identity federation). */
const clients = {
  service_account: ({ client_email, private_key, private_key_id }: CredentialFile, way: Way) =>
    new JWT({
      ...way,
      email: text(client_email),
      key: text(private_key),
      keyId: text(private_key_id),
      scopes,
    }),
  external_account: (file: CredentialFile, way: Way) => {
    const source = file.credential_source as Readonly<Record<string, unknown>> | undefined;
    const options = { ...file, ...way, scopes } as never;
    return source?.environment_id === undefined ? new IdentityPoolClient(options) : new AwsClient(options);
  },
  authorized_user: ({ client_id, client_secret, refresh_token }: CredentialFile, way: Way) =>
    new UserRefreshClient({
      ...way,
      clientId: text(client_id),
      clientSecret: text(client_secret),
      refreshToken: text(refresh_token),
    }),
} satisfies Readonly<Record<string, (file: CredentialFile, way: Way) => AuthClient>>;

/** The `authorization` of requests, by Google's library: it finds the credentials, asks for tokens and keeps them until they expire. */
export class GcsAuthorizer {
  readonly #uri: string;
  readonly #client: Storage['authClient'] | undefined;
  readonly #origin: string;

  /** Throws a `UfsError` of kind denied for a file that holds no credentials. */
  constructor(uri: string, credentials: GcsCredentials, agentFor: (url: URL) => Agent) {
    this.#uri = uri;
    if (credentials.kind === 'anonymous') {
      this.#origin = 'none: the bucket must be open to all';
      return;
    }
    const file = credentials.kind === 'file' ? parseCredentials(credentials.text, uri) : undefined;
    this.#origin = file
      ? `${describeFile(file)}, given with the mount`
      : 'found by the search of Google’s library';
    const way = { transporterOptions: { agent: agentFor } };
    // A search may end at the metadata server, which is asked by the library's own way.
    const options = file ? { authClient: clientOf(file, uri, way) } : { clientOptions: way };
    this.#client = new Storage(options).authClient;
  }

  /** In words for operators. */
  get origin(): string {
    return this.#origin;
  }

  /** Headers for one request. Rejects with `UfsError`: denied where there are no credentials, unavailable where no token could be had. */
  async headers(signal: AbortSignal | undefined): Promise<Readonly<Record<string, string>>> {
    if (!this.#client) return {};
    try {
      const headers = await abortable(this.#client.getRequestHeaders(), signal);
      return Object.fromEntries(headers as Iterable<[string, string]>);
    } catch (error) {
      if (signal?.aborted) throw error;
      throw this.#fault(error);
    }
  }

  #fault(error: unknown): UfsError {
    const message = (error as Error).message?.slice(0, 300) ?? '';
    const { status, code } = error as { status?: unknown; code?: unknown };
    const refused =
      status === 400 || status === 401 || status === 403 || /could not load the default/i.test(message);
    const kind = refused ? 'denied' : 'unavailable';
    // The library's own error holds the request, and so the key's assertion.
    const details = { backend: this.#uri, code: typeof code === 'string' ? code : 'NoToken' };
    return new UfsError(kind, `no token could be had: ${message}`, details);
  }
}

type CredentialFile = { readonly type: string } & Readonly<Record<string, unknown>>;

/**
 * The contents of a credentials file. Kinds: denied, for text that is none, or of a kind that runs a program to get its token: what an
 * operator gives over the network must not decide what runs here.
 */
export function parseCredentials(text: string, uri: string): CredentialFile {
  const wrong = (reason: string) =>
    new UfsError('denied', `the credentials file ${reason}`, { backend: uri });
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw wrong('is not JSON');
  }
  const { type, credential_source: source } = (parsed ?? {}) as {
    type?: unknown;
    credential_source?: unknown;
  };
  if (typeof type !== 'string' || !Object.hasOwn(clients, type)) {
    throw wrong(`must be of type ${Object.keys(clients).join(', ')}`);
  }
  if (typeof source === 'object' && source !== null && 'executable' in source) {
    throw wrong('gets its token from a program, which is not run here');
  }
  return parsed as CredentialFile;
}

function describeFile({ type, client_email: email }: CredentialFile): string {
  return typeof email === 'string' ? `the service account ${email}` : `credentials of type ${type}`;
}

function clientOf(file: CredentialFile, uri: string, way: Way): AuthClient {
  try {
    return clients[file.type as keyof typeof clients](file, way);
  } catch (error) {
    const message = `the credentials file lacks something: ${(error as Error).message}`;
    throw new UfsError('denied', message, { backend: uri });
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
