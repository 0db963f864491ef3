/** Stands between clients and a storage: what each connection sends arrives later, and what comes back comes at a limited rate. */
import { connect, createServer, type Socket } from 'node:net';
import { parentPort, Worker, workerData } from 'node:worker_threads';

export interface Distance {
  /** How much later a request arrives, ms. 0: at once. */
  readonly delayMs: number;
  /** Bytes a second that each connection brings; 0: as many as it can. */
  readonly bytesPerSecond: number;
}

interface Job extends Distance {
  readonly targetPort: number;
}

/** In a thread of its own, so that it does not take part in what is measured. Resolves to its port and what ends it. */
export async function startDistance(
  targetPort: number,
  distance: Distance,
): Promise<{ port: number; stop: () => Promise<unknown> }> {
  const job: Job = { targetPort, ...distance };
  const worker = new Worker(new URL(import.meta.url), { workerData: { distance: job } });
  const port = await new Promise<number>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  return { port, stop: () => worker.terminate() };
}

function relay(job: Job, client: Socket): void {
  const storage = connect({ port: job.targetPort, host: '127.0.0.1', noDelay: true });
  client.setNoDelay(true);
  const end = () => {
    client.destroy();
    storage.destroy();
  };
  for (const socket of [client, storage]) socket.on('error', end).on('close', end);
  client.on('data', (bytes: Buffer) => {
    if (job.delayMs === 0) storage.write(bytes);
    else setTimeout(() => storage.write(bytes), job.delayMs);
  });
  if (job.bytesPerSecond === 0) storage.pipe(client, { end: false });
  else paced(storage, client, job.bytesPerSecond);
}

/** Reads no faster than the rate, counted since the connection last stood still. */
function paced(storage: Socket, client: Socket, bytesPerSecond: number): void {
  let dueMs = 0;
  storage.on('data', (bytes: Buffer) => {
    const nowMs = performance.now();
    dueMs = Math.max(dueMs, nowMs) + (bytes.length / bytesPerSecond) * 1000;
    const free = client.write(bytes);
    const waitMs = dueMs - nowMs;
    // Timers are coarse: a few milliseconds are carried on to the next piece.
    if (free && waitMs < 3) return;
    storage.pause();
    const resume = () => setTimeout(() => storage.resume(), Math.max(0, dueMs - performance.now()));
    if (free) resume();
    else client.once('drain', resume);
  });
}

const job = (workerData as { distance?: Job } | null)?.distance;
if (job) {
  const server = createServer((client) => relay(job, client));
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    parentPort?.postMessage(typeof address === 'object' ? address?.port : 0);
  });
}
