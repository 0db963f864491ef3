import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { CompletePart } from '../../src/ufs/backend.ts';
import { formatRecord } from '../../src/ufs/gcs-record.ts';
import { getAll, kindOf, listAll, plain, put, readAll } from '../contracts/backend.ts';
import type { Fault } from '../support/fault-proxy.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { type GcsUnderTest, hasty, startGcs } from './gcs-under-test.ts';

let gcs: GcsUnderTest;

beforeEach(async () => {
  gcs = await startGcs({ tuning: hasty });
});
afterEach(() => gcs.close());

const large = 700_000;

describe('large bodies', () => {
  const pieces = () =>
    gcs.proxy.seen.filter(({ method, url }) => method === 'PUT' && url.includes('upload_id'));

  test.each<[string, Fault]>([
    ['whose answer is lost', { kind: 'lose' }],
    ['that a proxy refuses', { kind: 'refuse', status: 503 }],
    ['that is answered with an error though it was taken', { kind: 'replace', status: 500, body: '' }],
  ])('a piece %s is gone on with from where the storage has it', async (_, fault) => {
    for (const nth of [1, 3]) {
      gcs.proxy.seen.length = 0;
      let count = 0;
      gcs.proxy.rule = ({ method, url, headers }) => {
        const isPiece =
          method === 'PUT' && url.includes('upload_id') && headers['content-range'] !== `bytes */${large}`;
        return isPiece && ++count === nth ? fault : undefined;
      };
      const meta = await put(gcs.backend, 'k', someBytes(large, nth));
      expect((await readAll(gcs.backend, 'k', meta)).equals(someBytes(large, nth))).toBe(true);
      const states = pieces().filter(({ headers }) => headers['content-range'] === `bytes */${large}`);
      expect(states).toHaveLength(1);
      // What the storage has is not sent again.
      const bytes = pieces().reduce((sum, { bodyBytes }) => sum + bodyBytes, 0);
      expect(bytes).toBe(fault.kind === 'refuse' ? large + (nth === 1 ? 262_144 : large - 524_288) : large);
      expect(await gcs.hidden()).toEqual([]);
    }
    expect(gcs.proxy.faults).toBe(2);
  });

  test('a piece of which the storage keeps less than it was sent is gone on with behind that', async () => {
    gcs.stub.mostOfPiece = 262_144;
    const backend = gcs.open({ tuning: { pieceBytes: 786_432 } });
    const meta = await put(backend, 'k', someBytes(1_000_000));
    expect((await readAll(backend, 'k', meta)).equals(someBytes(1_000_000))).toBe(true);
    expect(pieces().map(({ headers }) => headers['content-range'])).toEqual([
      'bytes 0-786431/1000000',
      'bytes 262144-786431/1000000',
      'bytes 524288-786431/1000000',
      'bytes 786432-999999/1000000',
    ]);
  });

  test('a body that fails gives its upload up, at the storage too', async () => {
    const reason = new Error('bad signature');
    await expect(put(gcs.backend, 'k', someBytes(large), { failure: reason })).rejects.toBe(reason);
    expect(gcs.stub.openSessions).toBe(0);
    expect(await gcs.hidden()).toEqual([]);
  });

  test('a session that the storage has lost fails the put, and nothing is made', async () => {
    gcs.proxy.strike('PUT', 'upload_id', { kind: 'refuse', status: 410 });
    expect(await kindOf(put(gcs.backend, 'k', someBytes(large)))).toBe('refused');
    expect(await listAll(gcs.backend)).toEqual([]);
  });

  test('bytes that the storage has otherwise than they were sent make no object', async () => {
    gcs.proxy.rule = ({ method, url, headers }) =>
      method === 'PUT' && url.includes('upload_id') && headers['content-range']?.endsWith('699999/700000')
        ? {
            kind: 'body',
            status: 200,
            body: Buffer.from(JSON.stringify({ generation: '1', size: String(large), crc32c: 'AAAAAA==' })),
          }
        : undefined;
    expect(await kindOf(put(gcs.backend, 'k', someBytes(large)))).toBe('io');
    expect(gcs.proxy.faults).toBe(1);
    expect(await listAll(gcs.backend)).toEqual([]);
    expect(await gcs.hidden()).toEqual([]);
  });

  test('no more bodies hold pieces in memory than are allowed', async () => {
    const backend = gcs.open({ tuning: { maxLargeUploads: 2, maxWaitMs: 30_000 } });
    let now = 0;
    let most = 0;
    const beforeChunk = (index: number) => {
      if (index === 0) most = Math.max(most, ++now);
    };
    const puts = Array.from({ length: 6 }, async (_, i) => {
      await put(backend, `k${i}`, someBytes(large, i + 1), { beforeChunk });
      now--;
    });
    await Promise.all(puts);
    expect(most).toBe(2);
  });
});

describe('uploads', () => {
  test('as many parts as S3 knows become one object, 32 at a time', async () => {
    const { uploadId } = await gcs.backend.createUpload('k', plain);
    const named: CompletePart[] = [];
    for (let partNumber = 1; partNumber <= 10_000; partNumber++) {
      const bytes = Buffer.from(String(partNumber).padStart(6, '.'));
      const name = `in/.forebay/uploads/${uploadId}/parts/${String(partNumber).padStart(5, '0')}-x`;
      const { crc32c, md5Hash = '' } = gcs.stub.store.put(name, {}, bytes, {});
      const record = formatRecord({ stamp: uploadId, crc32c }, 8_000) as string;
      gcs.stub.store.patch(name, { metadata: { forebay: record } }, {});
      named.push({ partNumber, etag: Buffer.from(md5Hash, 'base64').toString('hex'), checksums: {} });
    }
    const made = await gcs.backend.completeUpload('k', uploadId, named);
    expect(made).toMatchObject({ sizeBytes: 60_000, etag: expect.stringMatching(/^[0-9a-f]{32}-10000$/) });
    expect(made.parts).toHaveLength(10_000);
    expect(made.parts?.[9_999]).toEqual({ partNumber: 10_000, sizeBytes: 6 });
    const bytes = (await getAll(gcs.backend, 'k')).toString();
    expect([bytes.slice(0, 12), bytes.slice(-12)]).toEqual(['.....1.....2', '..9999.10000']);
    // 313 of the parts, 10 of those, and the last.
    expect(gcs.proxy.count('POST', '/compose')).toBe(324);
    expect(await gcs.hidden()).toEqual([]);
  }, 180_000);

  test('a Complete that is sent again from another node finds the object that the first one made', async () => {
    const { uploadId } = await gcs.backend.createUpload('k', plain);
    const part = await gcs.backend.putPart('k', uploadId, 1, new TestBody('part'));
    const named = [{ ...part, checksums: {} }];
    const other = gcs.open();
    const [first, second] = await Promise.all([
      gcs.backend.completeUpload('k', uploadId, named, { condition: { ifNoneMatch: '*' } }),
      other.completeUpload('k', uploadId, named, { condition: { ifNoneMatch: '*' } }),
    ]);
    expect(second.generation).toBe(first.generation);
  });

  test('what has lain still too long is removed: uploads, ended ones, and bodies that became nothing', async () => {
    const old = await gcs.backend.createUpload('old', plain);
    await gcs.backend.putPart('old', old.uploadId, 1, new TestBody('part'));
    gcs.stub.store.put('in/.forebay/staged/x', {}, Buffer.from('x'), {});
    gcs.stub.store.put(
      'in/.forebay/uploads/0198c0de-0000-7000-8000-000000000000/parts/00001-x',
      {},
      Buffer.from('x'),
      {},
    );
    await put(gcs.backend, 'k', 'object');
    const sweeping = gcs.open({ uploadLimits: { maxCount: 10, maxIdleMs: 1 } });
    await gcs.proxy.until(() => [...gcs.stub.store.objects.keys()].length === 1);
    expect(await kindOf(sweeping.listParts('old', old.uploadId, { limit: 1 }))).toBe('no-such-upload');
    expect(await listAll(sweeping)).toEqual(['k']);
  });

  test('no more uploads begin than there may be under way', async () => {
    const backend = gcs.open({ uploadLimits: { maxCount: 2, maxIdleMs: 0 } });
    const { uploadId } = await backend.createUpload('a', plain);
    await backend.createUpload('b', plain);
    expect(await kindOf(backend.createUpload('c', plain))).toBe('throttled');
    await gcs.open().abortUpload('a', uploadId);
    await backend.createUpload('c', plain);
  });
});
