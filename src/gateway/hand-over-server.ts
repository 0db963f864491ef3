import { chmod, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { carryConnection, decodeFacts, type HandOverPath, uncoverNames } from './carried-request.ts';
import { keepMark } from './kept-claim.ts';
import type { RequestTaker } from './server.ts';

/** Beside the client's own headers. */
const addedHeaderBytes = 1024;
const maximumHeaders = 210;

/**
 * Where the store thread takes the requests that the I/O threads do not answer by themselves: a socket in a folder that nobody else may
 * enter. Time limits are kept where the clients are; a thread that dies takes its connections with it.
 */
export class HandOverServer {
  private readonly path: HandOverPath;
  private readonly server: Server;

  /** `keep` answers threads that ask for a version to be kept. */
  constructor(
    taker: RequestTaker,
    path: HandOverPath,
    maxHeaderBytes: number,
    keep: (req: IncomingMessage, res: ServerResponse) => void,
  ) {
    this.path = path;
    this.server = createServer({
      maxHeaderSize: maxHeaderBytes + addedHeaderBytes,
      headersTimeout: 0,
      requestTimeout: 0,
      keepAliveTimeout: 0,
      requireHostHeader: false,
      highWaterMark: 256 * 1024,
    });
    this.server.timeout = 0;
    this.server.maxHeadersCount = maximumHeaders;
    const take = (expectsContinue: boolean) => (req: IncomingMessage, res: ServerResponse) => {
      if (isClaim(req, path.header)) keep(req, res);
      else if (unwrap(req, path.header)) taker.handle(req, res, expectsContinue);
      else req.socket.destroy();
    };
    this.server.on('request', take(false));
    this.server.on('checkContinue', take(true));
    // Other expectations are answered where the clients are, or not seen here; the parser has nothing to refuse that it let through there.
    this.server.on('clientError', (_error, socket) => socket.destroy());
  }

  async listen(): Promise<void> {
    // Left over by a process that was killed; the lock on the data folder says that it is no more.
    await rm(this.path.socketPath, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.path.socketPath, () => {
        this.server.off('error', reject);
        resolve();
      });
    });
    await chmod(this.path.socketPath, 0o600);
  }

  /** To be called when the threads have ended. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeAllConnections();
    await closed;
  }
}

function isClaim({ rawHeaders }: IncomingMessage, header: string): boolean {
  return rawHeaders[0] === header && rawHeaders[1] === keepMark;
}

/** Makes the request what its client sent; false if it comes from no thread of this process. */
function unwrap(req: IncomingMessage, header: string): boolean {
  const { headers, rawHeaders } = req;
  const value = rawHeaders[1];
  if (rawHeaders[0] !== header || value === undefined) return false;
  const { added, ...connection } = decodeFacts(value);
  rawHeaders.splice(0, 2);
  delete headers[header];
  for (const name of added) {
    delete headers[name];
    const at = rawHeaders.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === name);
    if (at >= 0) rawHeaders.splice(at, 2);
  }
  uncoverNames(req);
  carryConnection(req, connection);
  return true;
}
