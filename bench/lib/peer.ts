import { processTree } from './process-cpu.ts';

/** An S3 server by URL that is measured beside Forebay. */
export interface Peer {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** The root of its processes, if it runs on this machine and its CPU is to be counted. */
  readonly pid?: number;
}

/** `NAME=http://host:port,ACCESS_KEY,SECRET[,PID]`; a string says what is wrong with it. */
export function parsePeer(text: string): Peer | string {
  const match = /^([^=]+)=http:\/\/([^\s/:]+|\[[0-9a-f:]+\]):(\d{1,5})\/?,([^,]+),([^,]+)(?:,(\d+))?$/.exec(
    text,
  );
  if (!match) return `--peer takes NAME=http://host:port,ACCESS_KEY,SECRET[,PID]`;
  const [, name, host, port, accessKeyId, secretAccessKey, pid] = match as unknown as string[];
  const peer = {
    name: name as string,
    host: host as string,
    port: Number(port),
    accessKeyId: accessKeyId as string,
    secretAccessKey: secretAccessKey as string,
  };
  if (pid === undefined) return peer;
  return isRunning(Number(pid))
    ? { ...peer, pid: Number(pid) }
    : `there is no process ${pid} (--peer ${name})`;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return processTree(pid).length > 0;
}
