import { expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { openGcsBackend } from '../../src/ufs/gcs.ts';
import type { ReachStep } from '../../src/ufs/reach-step.ts';
import { listAll, put } from '../contracts/backend.ts';
import {
  CorrectedGcsEmulator,
  describeOverGcsEmulator,
  GcsEmulator,
  wrongAnswers,
} from '../support/gcs-emulator.ts';
import { everything, type GcsUnderTest, startGcs } from './gcs-under-test.ts';

async function withGcs(run: (gcs: GcsUnderTest) => Promise<void>) {
  const gcs = await startGcs();
  try {
    await run(gcs);
  } finally {
    await gcs.close();
  }
}

async function stepsOf(steps: AsyncIterable<ReachStep>): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { name, result, detail } of steps) found[name] = `${result}: ${detail}`;
  return found;
}

test('of storage that decides every precondition everything is found, and nothing is left behind', () =>
  withGcs(async ({ backend, stub }) => {
    await put(backend, 'k', 'x');
    expect(await backend.probe('.forebay-check-1')).toEqual(everything);
    expect([...stub.store.objects.keys()]).toEqual(['in/k']);
  }));

test.each([
  ['POST', 'rewriteTo', ['conditionalCreate', 'conditionalPut', 'conditionalCopy']],
  ['POST', 'uploadType=multipart', ['conditionalCreate', 'conditionalPut']],
  ['POST', '/compose', ['conditionalCompleteCreate', 'conditionalComplete']],
  ['DELETE', '', ['conditionalDelete']],
  ['PATCH', '', ['tagging']],
])('preconditions of %s %s that are passed by are found out', (method, text, lacking) =>
  withGcs(async ({ backend, stub }) => {
    stub.passesBy = (asked, url) => asked === method && url.includes(text);
    const found = await backend.probe('.forebay-check-1');
    const expected = Object.fromEntries(lacking.map((name) => [name, false]));
    expect(found).toEqual({ ...everything, ...expected });
  }),
);

test('storage that is too busy to be tried says so, and is not taken for one that can do nothing', () =>
  withGcs(async ({ backend, proxy }) => {
    proxy.rule = ({ method, url }) =>
      method === 'POST' && url.includes('rewriteTo') ? { kind: 'refuse', status: 429 } : undefined;
    await expect(backend.probe('.forebay-check-1')).rejects.toMatchObject({ kind: 'throttled' });
    expect(await listAll(backend)).toEqual([]);
  }));

test('the way to the bucket is told step by step', () =>
  withGcs(async ({ backend, open, proxy }) => {
    expect(await stepsOf(backend.reach())).toEqual({
      credentials: expect.stringContaining('ok: none'),
      connect: `ok: 127.0.0.1 port ${proxy.port} takes connections`,
      signature: 'ok: the storage accepts the credentials',
      bucket: 'ok: bucket is there and can be listed',
    });
    const elsewhere = await stepsOf(open({ uri: 'gs://elsewhere/' }).reach());
    expect(elsewhere.bucket).toContain('failed: there is no bucket elsewhere: check the URI');
    const refusal = (status: number) => {
      const error = { code: status, message: 'no access', errors: [{ reason: 'forbidden' }] };
      proxy.rule = () => ({ kind: 'refuse', status, body: JSON.stringify({ error }) });
    };
    refusal(401);
    expect((await stepsOf(backend.reach())).signature).toContain('give --credentials-file');
    refusal(403);
    expect((await stepsOf(backend.reach())).bucket).toContain('the role Storage Object User on bucket');
    proxy.rule = () => ({ kind: 'body', status: 200, body: Buffer.from('<html>') });
    expect((await stepsOf(backend.reach())).signature).toContain('is no Cloud Storage: check --endpoint');
    // Nobody listens there.
    const gone = open({ endpoint: 'http://127.0.0.1:9' });
    expect((await stepsOf(gone.reach())).connect).toContain('takes no connection');
  }));

await describeOverGcsEmulator('over the emulator', (program) => {
  test('its wrong answers are found by the probe, and are as they are listed', async () => {
    const emulator = await GcsEmulator.start(program);
    const corrected = await CorrectedGcsEmulator.start(emulator.port);
    const probe = async (port: number) => {
      const endpoint = `http://127.0.0.1:${port}`;
      const backend = openGcsBackend(systemClock, systemRandom, { uri: 'gs://bucket/p/', endpoint });
      try {
        return await backend.probe('.forebay-check-1');
      } finally {
        await backend.close();
      }
    };
    try {
      expect(wrongAnswers.length).toBeGreaterThan(0);
      expect(await probe(emulator.port)).toEqual({
        ...everything,
        conditionalCreate: false,
        conditionalPut: false,
        conditionalCopy: false,
        conditionalCompleteCreate: false,
        conditionalComplete: false,
        conditionalDelete: false,
        tagging: false,
      });
      expect(await probe(corrected.port)).toEqual(everything);
    } finally {
      await corrected.close();
      await emulator.stop();
    }
  });
});
