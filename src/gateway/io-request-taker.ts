import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HandOver } from './hand-over.ts';
import type { RequestTaker } from './server.ts';

/**
 * Decides in an I/O thread which requests are tried here: reads, while this thread knows every change of users, keys, buckets and mounts
 * that anybody was told of. What cannot be answered from what is at hand goes on to the store thread all the same.
 */
export class IoRequestTaker implements RequestTaker {
  private readonly here: RequestTaker;
  private readonly elsewhere: HandOver;
  private readonly isCurrent: () => boolean;

  constructor(here: RequestTaker, elsewhere: HandOver, isCurrent: () => boolean) {
    this.here = here;
    this.elsewhere = elsewhere;
    this.isCurrent = isCurrent;
  }

  handle(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void {
    if (!expectsContinue && isRead(req) && this.isCurrent()) this.here.handle(req, res, false);
    else this.elsewhere.take(req, res, expectsContinue);
  }

  noteUnparsable(code: string, remote: string | undefined): void {
    this.here.noteUnparsable(code, remote);
  }
}

function isRead({ method, headers }: IncomingMessage): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  return headers['content-length'] === undefined && headers['transfer-encoding'] === undefined;
}
