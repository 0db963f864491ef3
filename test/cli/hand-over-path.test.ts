import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { openHandOverPlace } from '../../src/cli/hand-over-path.ts';
import { systemRandom } from '../../src/common/random.ts';
import type { HandOverPath } from '../../src/gateway/carried-request.ts';
import { HandOverServer } from '../../src/gateway/hand-over-server.ts';

function ask({ socketPath, header }: HandOverPath): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = [header, '127.0.0.1', 'Host', 'h'];
    const req = request({ socketPath, headers }, (res) => resolve(res.resume().statusCode));
    req.on('error', reject).end();
  });
}

const open = async (folder: string) => {
  const place = await openHandOverPlace(folder, systemRandom);
  const taker = {
    handle: (_req: unknown, res: { end(): void }) => res.end(),
    noteUnparsable: () => {},
  };
  const server = new HandOverServer(taker, place.path, 16 * 1024, () => {});
  await server.listen();
  return { place, server };
};

test.each([
  ['short', 1],
  ['longer than the address of a socket', 3],
])('where the path of the data folder is %s, the socket is there and goes again', async (_what, depth) => {
  const top = await mkdtemp(join(tmpdir(), 'forebay-path-'));
  const folder = join(top, ...Array.from({ length: depth }, () => 'd'.repeat(depth * 16)));
  await mkdir(folder, { recursive: true });
  const { place, server } = await open(folder);
  expect(Buffer.byteLength(place.path.socketPath)).toBeLessThan(108);
  expect(await ask(place.path)).toBe(200);
  // Other systems have no short name for a folder, so that a long one is evaded.
  if (depth === 1 || existsSync('/proc/self/fd')) expect(await readdir(folder)).toEqual(['threads.sock']);
  await server.close();
  await place.remove();
  expect(await readdir(folder)).toEqual([]);
  await rm(top, { recursive: true });
});
