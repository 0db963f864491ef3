/** What Fastify's own request handling costs over the plain server under it, for a 4 KiB answer: µs of CPU a request. */
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fastify } from 'fastify';
import { bytesOf, cases } from './lib/cases.ts';
import type { LoadJob, LoadResult } from './lib/load-client.ts';
import { credentials } from './lib/servers.ts';

const small = cases.find(({ name }) => name === 'hot-4k');
if (!small) throw new Error('there is no case hot-4k');
const one = { ...small, dataset: { ...small.dataset, keys: 1 } };
const body = bytesOf(0, 0, one.dataset.sizeBytes);
const client = fileURLToPath(new URL('lib/load-client.ts', import.meta.url));

async function measure(name: string, port: number): Promise<void> {
  const job: LoadJob = {
    host: '127.0.0.1',
    port,
    hostHeader: `127.0.0.1:${port}`,
    case: one,
    signing: 'none',
    credentials,
    seconds: 5,
    firstKey: 0,
    lastKey: 1,
    once: false,
  };
  const before = process.cpuUsage();
  const { stdout } = await promisify(execFile)(process.execPath, [client, JSON.stringify(job)]);
  const used = process.cpuUsage(before);
  const { requests } = JSON.parse(stdout) as LoadResult;
  console.log(
    `${name}: ${((used.user + used.system) / requests).toFixed(1)} µs of CPU a request (${requests} requests)`,
  );
}

const plain = createServer((_req, res) => {
  res.writeHead(200, { 'content-length': body.length });
  res.end(body);
});
const under = fastify({ serverFactory: () => plain });
await under.listen({ host: '127.0.0.1', port: 0 });
const routed = fastify();
routed.get('/*', async (_request, reply) => reply.header('content-length', body.length).send(body));
await routed.listen({ host: '127.0.0.1', port: 0 });
const portOf = (app: typeof under) => (app.server.address() as { port: number }).port;
for (let round = 0; round < 3; round++) {
  await measure('pipeline under the server', portOf(under));
  await measure('Fastify route           ', portOf(routed));
}
await under.close();
await routed.close();
