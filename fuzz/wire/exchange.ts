import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Exchanged {
  readonly received: string;
  /** Whether the server ended the connection, rather than be waited for in vain. */
  readonly closed: boolean;
}

/** Beyond it a connection whose sending side has ended hangs: far more than a paused machine takes. */
const hangMs = 150_000;
/** What a server that is sent half a request is given to say something. */
const silenceMs = 60;

/** Writes the slices one after another, and takes what comes until the connection ends, or nothing more comes. */
export function exchangeBytes(
  port: number,
  slices: readonly Buffer[],
  finishes: boolean,
): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    let received = '';
    let closed = false;
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      received += text;
    });
    // A reset is one of the ways to refuse: what was received before counts.
    socket.on('error', () => {});
    socket.on('end', () => {
      closed = true;
      socket.destroy();
    });
    socket.on('close', () => resolve({ received, closed: closed || socket.errored !== null }));
    socket.setTimeout(finishes ? hangMs : silenceMs, () => socket.destroy());
    const write = async (): Promise<void> => {
      for (const slice of slices) {
        if (socket.destroyed) return;
        socket.write(slice);
        if (slices.length > 1) await sleep(1);
      }
      if (finishes) socket.end();
    };
    socket.on('connect', () => write().catch(reject));
  });
}
