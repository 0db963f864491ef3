import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Etcd3, Range } from 'etcd3';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import { EtcdStore, type EtcdStoreSettings } from '../../src/coord/etcd.ts';
import { pairs } from '../common/tls-pairs.ts';
import { watchInto } from '../contracts/coord-store.ts';
import { describeOverEtcd, EtcdServer } from '../support/etcd-server.ts';
import { etcdCertificates } from './etcd-certificates.ts';

const patienceMs = 240_000;
const { ca, clientCert, clientKey } = etcdCertificates;
const pem = (text: string) => Buffer.from(text);

function open(settings: Partial<EtcdStoreSettings> & Pick<EtcdStoreSettings, 'endpoints'>): EtcdStore {
  return new EtcdStore(systemClock, systemRandom, silentLog(), {
    clusterName: 'access',
    timeoutMs: 20_000,
    pulseMs: 1_000,
    ...settings,
  });
}

/** What it answers, or why not. */
async function tried(settings: Partial<EtcdStoreSettings> & Pick<EtcdStoreSettings, 'endpoints'>) {
  const store = open({ timeoutMs: 2_000, ...settings });
  try {
    const done = await store.putIf('tried', '1', 'any');
    return done === undefined ? 'refused' : 'done';
  } catch (error) {
    return (error as Error).message;
  } finally {
    await store.close();
  }
}

await describeOverEtcd('an etcd that speaks TLS and asks for certificates', (program) => {
  let folder: string;
  let server: EtcdServer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'forebay-etcd-tls-'));
    for (const [name, text] of Object.entries(etcdCertificates)) await writeFile(join(folder, name), text);
    server = await EtcdServer.start(program, [
      ...['--cert-file', join(folder, 'serverCert'), '--key-file', join(folder, 'serverKey')],
      ...['--client-cert-auth', '--trusted-ca-file', join(folder, 'ca')],
    ]);
  }, patienceMs);
  afterAll(async () => {
    await server.close();
    await rm(folder, { recursive: true });
  });

  test(
    'serves a client that knows its authority and shows a certificate',
    async () => {
      const store = open({
        endpoints: [server.url],
        tls: { ca: pem(ca), cert: pem(clientCert), key: pem(clientKey) },
      });
      const seen = watchInto();
      await store.watch('', 0, seen.onEvents, seen.onReset);
      await store.putIf('a', '1', 'absent', await store.lease(60_000));
      await seen.until(1);
      expect((await store.list('')).entries).toHaveLength(1);
      await store.close();
    },
    patienceMs,
  );

  test.each([
    ['does not know its authority', /unable to verify/, undefined],
    ['shows none', /alert bad certificate/, { ca: pem(ca) }],
    [
      'shows one of nobody',
      /alert (bad certificate|unknown ca)/,
      { ca: pem(ca), cert: pem(pairs.first.cert), key: pem(pairs.first.key) },
    ],
  ])(
    'serves no client that %s',
    async (_, reason, tls) => {
      expect(await tried({ endpoints: [server.url], tls })).toMatch(reason);
    },
    patienceMs,
  );

  test(
    'is not spoken to in the clear',
    async () => {
      expect(await tried({ endpoints: [server.url.replace('https', 'http')] })).toMatch(/cannot write etcd/);
    },
    patienceMs,
  );
});

await describeOverEtcd('an etcd that asks for user and password', (program) => {
  let server: EtcdServer;
  let admin: Etcd3;
  const known = { name: 'forebay', password: 'the password of forebay' };

  beforeAll(async () => {
    server = await EtcdServer.start(program);
    const anybody = new Etcd3({ hosts: server.url });
    await anybody.role('root').create();
    await anybody.role('forebay').create();
    const range = Range.prefix('/forebay/access/');
    await anybody.role('forebay').grant({ permission: 'Readwrite', range });
    for (const [name, password, role] of [
      ['root', 'the password of root', 'root'],
      [known.name, known.password, 'forebay'],
    ] as const) {
      await anybody.auth.userAdd({ name, password, options: { no_password: false } } as never);
      await anybody.auth.userGrantRole({ user: name, role });
    }
    await anybody.auth.authEnable();
    anybody.close();
    admin = new Etcd3({ hosts: server.url, auth: { username: 'root', password: 'the password of root' } });
  }, patienceMs);
  afterAll(async () => {
    admin.close();
    await server.close();
  });

  test(
    'serves a user within what it was given',
    async () => {
      const store = open({ endpoints: [server.url], user: known });
      const seen = watchInto();
      await store.watch('', 0, seen.onEvents, seen.onReset);
      await store.putIf('a', '1', 'absent', await store.lease(60_000));
      await seen.until(1);
      expect((await store.list('')).entries).toHaveLength(1);
      await store.close();
      expect(await tried({ endpoints: [server.url], user: known, clusterName: 'other' })).toMatch(
        /etcd refuses this user: .*permission denied/,
      );
    },
    patienceMs,
  );

  test(
    'does not serve who is not known, and the password is not told to anybody',
    async () => {
      const wrong = await tried({ endpoints: [server.url], user: { ...known, password: 'guessed' } });
      expect(wrong).toMatch(/etcd refuses this user: .*authentication failed/);
      expect(wrong).not.toContain('guessed');
      expect(await tried({ endpoints: [server.url] })).toMatch(/etcd refuses this user/);
    },
    patienceMs,
  );

  test(
    'is asked for a new token where it knows the old one no more',
    async () => {
      const store = open({ endpoints: [server.url], user: known, pulseMs: 100 });
      const seen = watchInto();
      await store.watch('t/', 0, seen.onEvents, seen.onReset);
      await store.putIf('t/a', '1', 'any');
      // Tokens of the simple kind do not outlive the process.
      await server.startAgain();
      await store.putIf('t/b', '1', 'any').catch(() => store.putIf('t/b', '1', 'any'));
      await seen.until(2);
      expect(seen.resets()).toBe(0);
      await store.close();
    },
    patienceMs,
  );
});
