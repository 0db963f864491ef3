import { createHash, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

export interface TlsFiles {
  /** PEM: the certificate, then those that it was issued by. */
  readonly certPath: string;
  readonly keyPath: string;
}

/** The files could not be read, or do not go together. The message says which and why. */
export class TlsError extends Error {
  override name = 'TlsError';
}

interface Pair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

interface SecureServer {
  setSecureContext(options: Pair): void;
}

/** How often the files are looked at. */
const lookEveryMs = 1000;

/**
 * The certificate of this node's doors, taken from its files again when they change. A pair that does not go together (one
 * file is written, the other not yet) is left alone until it does; the former one serves on.
 */
export class TlsDoor {
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly files: TlsFiles;
  private readonly servers = new Set<SecureServer>();
  private readonly closed = new AbortController();
  private pair: Pair;

  private constructor(clock: Clock, log: Log, pair: Pair, files: TlsFiles) {
    this.clock = clock;
    this.log = log;
    this.pair = pair;
    this.files = files;
  }

  /** Rejects with `TlsError`. */
  static async open(clock: Clock, log: Log, files: TlsFiles): Promise<TlsDoor> {
    const pair = await readPair(files);
    checkPair(pair, files);
    const door = new TlsDoor(clock, log, pair, files);
    void door.follow();
    return door;
  }

  /** The pair that serves now, as `https.createServer` takes it. */
  context(): Pair {
    return this.pair;
  }

  /** From now on the server is given each new pair. Connections that are open keep the one they began with. */
  attach<Server extends SecureServer>(server: Server): Server {
    this.servers.add(server);
    return server;
  }

  close(): void {
    this.closed.abort();
    this.servers.clear();
  }

  private async follow(): Promise<void> {
    let refused = '';
    for (;;) {
      try {
        await this.clock.sleep(lookEveryMs, this.closed.signal);
      } catch {
        return; // Closed.
      }
      try {
        const pair = await readPair(this.files);
        if (sameBytes(pair, this.pair)) continue;
        checkPair(pair, this.files);
        this.take(pair);
        refused = '';
      } catch (error) {
        if (!(error instanceof TlsError)) throw error;
        // Said once for each state of the files, not each second.
        if (error.message !== refused)
          this.log.warn({ reason: error.message }, 'the new certificate is not taken');
        refused = error.message;
      }
    }
  }

  private take(pair: Pair): void {
    if (this.closed.signal.aborted) return;
    this.pair = pair;
    for (const server of this.servers) server.setSecureContext(pair);
    const { subject, validTo } = new X509Certificate(pair.cert);
    this.log.info({ subject, validTo, sha256: fingerprint(pair.cert) }, 'a new certificate is in use');
  }
}

async function readPair(files: TlsFiles): Promise<Pair> {
  const [cert, key] = await Promise.all([
    read(files.certPath, 'certificate'),
    read(files.keyPath, 'private key'),
  ]);
  return { cert, key };
}

async function read(path: string, what: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new TlsError(`cannot read the ${what} ${path} (${code})`, { cause: error });
  }
}

function checkPair(pair: Pair, files: TlsFiles): void {
  try {
    new X509Certificate(pair.cert);
  } catch (error) {
    throw new TlsError(`${files.certPath} holds no certificate in PEM form`, { cause: error });
  }
  try {
    createSecureContext(pair);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new TlsError(
      code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH'
        ? `the private key ${files.keyPath} does not belong to the certificate ${files.certPath}`
        : `${files.certPath} and ${files.keyPath} cannot be used: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

function sameBytes(a: Pair, b: Pair): boolean {
  return a.cert.equals(b.cert) && a.key.equals(b.key);
}

function fingerprint(cert: Buffer): string {
  return createHash('sha256').update(new X509Certificate(cert).raw).digest('hex');
}
