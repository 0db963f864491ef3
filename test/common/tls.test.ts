import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { silentLog } from '../../src/common/log.ts';
import { TlsDoor, TlsError } from '../../src/common/tls.ts';
import { FakeClock } from '../coord/fake-clock.ts';
import { pairs } from './tls-pairs.ts';

let folder: string;
let clock: FakeClock;
const files = () => ({ certPath: join(folder, 'tls.crt'), keyPath: join(folder, 'tls.key') });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'forebay-tls-'));
  clock = new FakeClock();
  await write(pairs.first);
});
afterEach(() => rm(folder, { recursive: true }));

async function write(pair: { cert?: string; key?: string }) {
  if (pair.cert !== undefined) await writeFile(files().certPath, pair.cert);
  if (pair.key !== undefined) await writeFile(files().keyPath, pair.key);
}

/** Lets the door look at its files once, and waits until it has. */
async function look() {
  await clock.pass(1000);
  await new Promise((resolve) => setTimeout(resolve, 50));
}

async function served(server: Server): Promise<string> {
  const socket = connect({ port: (server.address() as AddressInfo).port, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

test('new files are served to new connections; a half-written pair and a broken file are not', async () => {
  const door = await TlsDoor.open(clock, silentLog(), files());
  const server = door.attach(createServer(door.context()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  expect(await served(server)).toBe('forebay-test-first');
  await write({ cert: pairs.second.cert });
  await look();
  expect(await served(server)).toBe('forebay-test-first');
  await write({ cert: 'gibberish' });
  await look();
  expect(await served(server)).toBe('forebay-test-first');
  await rename(files().certPath, `${files().certPath}.away`);
  await look();
  expect(await served(server)).toBe('forebay-test-first');
  await write(pairs.second);
  await look();
  expect(await served(server)).toBe('forebay-test-second');
  expect(door.context().cert.toString()).toBe(pairs.second.cert);
  door.close();
  await write(pairs.first);
  await look();
  expect(await served(server)).toBe('forebay-test-second');
  server.close();
});

type Change = 'absent' | { cert?: string; key?: string };
const refused: readonly [string, Change, RegExp][] = [
  ['a certificate that is absent', 'absent', /cannot read the certificate .*ENOENT/],
  ['a key of another certificate', { key: pairs.second.key }, /does not belong to the certificate/],
  ['a certificate that is none', { cert: 'gibberish' }, /holds no certificate in PEM form/],
  ['a key that is none', { key: 'gibberish' }, /cannot be used/],
];

test.each(refused)('%s is refused at the start, by name', async (_what, change, message) => {
  if (change === 'absent') await rm(files().certPath);
  else await write(change);
  const failure = await TlsDoor.open(clock, silentLog(), files()).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(TlsError);
  expect((failure as Error).message).toMatch(message);
});
