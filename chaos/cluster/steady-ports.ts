import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below those that systems give to outgoing connections, which would take the port of a server that is down for a while. */
const firstPort = 12_000;
const ports = 18_000;
const attempts = 1_000;

/** `count` different TCP ports of the loopback addresses, free at this moment, where a server can be started again and again. */
export async function steadyPorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let attempt = 0; found.size < count; attempt++) {
    if (attempt === attempts) throw new Error('there are no free ports');
    const port = firstPort + Math.floor(Math.random() * ports);
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  return [...found];
}

async function isFree(port: number): Promise<boolean> {
  // On all addresses, since some are given to others than 127.0.0.1.
  const server = createServer().listen(port);
  try {
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
