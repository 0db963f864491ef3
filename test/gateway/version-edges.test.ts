import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import type { DeleteOptions } from '../../src/ufs/backend.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { errorOf, idOf, texts } from './answer-fields.ts';
import { type GatewayUnderTest, startGateway } from './memory-node.ts';
import { type SentRequest, sendSigned } from './signed-request.ts';

const unknownId = 'f'.repeat(32);

/** Holds the next deletion back until it is let go. */
class SlowDeletes extends MemoryBackend {
  #held: Promise<void> = Promise.resolve();
  /** Resolves when a deletion waits. */
  arrived: Promise<void> = Promise.resolve();
  #arrive = () => {};

  holdDeletes(): () => void {
    const held = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    this.#held = held.promise;
    this.arrived = arrived.promise;
    this.#arrive = arrived.resolve;
    return held.resolve;
  }

  override async delete(key: string, options?: DeleteOptions) {
    this.#arrive();
    await this.#held;
    return super.delete(key, options);
  }
}

const tagging = (value: string) =>
  Buffer.from(`<Tagging><TagSet><Tag><Key>k</Key><Value>${value}</Value></Tag></TagSet></Tagging>`);

describe.each([1, 2])('at the edges of versions, with %d threads', (ioThreads) => {
  let gateway: GatewayUnderTest;
  let root: SlowDeletes;
  let buckets = 0;
  let bucket = '';

  beforeAll(async () => {
    root = new SlowDeletes(systemClock, systemRandom, { minPartSizeBytes: 5, exclusive: true });
    gateway = await startGateway(root, [], { ioThreads, removesDeadPages: true });
  });
  afterAll(() => gateway.close());

  const send = (sent: SentRequest) => sendSigned(gateway.port, sent);
  const set = async (status: string) => {
    const body = Buffer.from(`<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`);
    return send({ method: 'PUT', target: `/${bucket}?versioning`, body });
  };
  const make = async (status?: string) => {
    bucket = `edges-${ioThreads}-${++buckets}`;
    await gateway.client.send(new CreateBucketCommand({ Bucket: bucket }));
    if (status) expect((await set(status)).status).toBe(200);
  };
  const put = (key: string, body: string) =>
    send({ method: 'PUT', target: `/${bucket}/${key}`, body: Buffer.from(body) });
  const get = (key: string, query = '') => send({ target: `/${bucket}/${key}${query}` });
  const remove = (key: string) => send({ method: 'DELETE', target: `/${bucket}/${key}` });
  const list = (query = '') => send({ target: `/${bucket}?versions${query}` });

  test('what is known of a version is not told of another key whose name is made of both their names', async () => {
    await make('Enabled');
    const id = idOf(await put('k', 'of k alone'));
    // What is read and changed of a version by its id is what is known of it by its id.
    await get('k', `?versionId=${id}`);
    await send({ method: 'PUT', target: `/${bucket}/k?tagging`, body: tagging('v') });
    const other = `k%00${id}`;
    expect((await send({ method: 'HEAD', target: `/${bucket}/${other}` })).status).toBe(404);
    expect((await get(other)).status).toBe(404);
    const own = await put(other, 'of the other');
    expect((await get(other)).body.toString()).toBe('of the other');
    expect((await get('k', `?versionId=${id}`)).body.toString()).toBe('of k alone');
    expect(idOf(own)).not.toBe(id);
  });

  test('answers about tags name the version that they are of', async () => {
    await make();
    await put('k', 'null');
    const tags = (method: string, query = '') =>
      send({
        method,
        target: `/${bucket}/k?tagging${query}`,
        ...(method === 'PUT' ? { body: tagging('v') } : {}),
      });
    expect(idOf(await tags('PUT'))).toBe('none');
    expect(idOf(await tags('GET'))).toBe('none');
    await set('Enabled');
    expect(idOf(await tags('GET'))).toBe('null');
    const id = idOf(await put('k', 'versioned'));
    for (const method of ['PUT', 'GET', 'DELETE']) {
      expect([method, idOf(await tags(method))]).toEqual([method, id]);
      expect([method, idOf(await tags(method, '&versionId=null'))]).toEqual([method, 'null']);
      const bad = await tags(method, '&versionId=none');
      expect([bad.status, errorOf(bad)]).toEqual([
        400,
        {
          Code: 'InvalidArgument',
          Message: 'Invalid version id specified',
          ArgumentName: 'versionId',
          ArgumentValue: 'none',
        },
      ]);
      const unknown = await tags(method, `&versionId=${unknownId}`);
      expect([unknown.status, errorOf(unknown).Code]).toEqual([404, 'NoSuchVersion']);
    }
  });

  test('a delete marker has no tags, by its id or as the latest, and its ACL is not changed', async () => {
    await make('Enabled');
    await put('k', 'body');
    const marker = idOf(await remove('k'));
    for (const method of ['PUT', 'GET', 'DELETE']) {
      for (const query of ['', `&versionId=${marker}`]) {
        const body = method === 'PUT' ? { body: tagging('v') } : {};
        const answer = await send({ method, target: `/${bucket}/k?tagging${query}`, ...body });
        expect([answer.status, errorOf(answer)]).toEqual([
          405,
          {
            Code: 'MethodNotAllowed',
            Message: 'The specified method is not allowed against this resource.',
            Method: method,
            ResourceType: 'DeleteMarker',
          },
        ]);
        expect([answer.headers['x-amz-delete-marker'], idOf(answer)]).toEqual(['true', marker]);
      }
    }
    const absent = await get('never', '?tagging');
    expect([absent.status, errorOf(absent).Code]).toEqual([404, 'NoSuchKey']);
  });

  test('nobody says which id a new version gets', async () => {
    await make('Enabled');
    const id = idOf(await put('k', 'body'));
    const source = { 'x-amz-copy-source': `/${bucket}/k` };
    const tried = [
      await put(`k?versionId=${id}`, 'again'),
      await put('k?versionId=', 'again'),
      await send({ method: 'PUT', target: `/${bucket}/c?versionId=${id}`, headers: source }),
      await send({ method: 'POST', target: `/${bucket}/k?uploads&versionId=${id}` }),
    ];
    for (const answer of tried) {
      expect([answer.status, errorOf(answer)]).toMatchObject([
        400,
        {
          Code: 'InvalidArgument',
          Message: 'This operation does not accept a version-id.',
          ArgumentName: 'versionId',
        },
      ]);
    }
    expect(texts(await list(), 'VersionId')).toEqual([id]);
  });

  test('a delete that began before versions were kept does not end after that', async () => {
    await make();
    await put('k', 'before');
    const letGo = root.holdDeletes();
    const removed = remove('k');
    await root.arrived;
    const kept = set('Enabled').then(() => put('k', 'kept'));
    // Time enough for both, if nothing held them back.
    for (let i = 0; i < 20; i++) await get('other');
    letGo();
    expect([(await removed).status, (await kept).status]).toEqual([204, 200]);
    expect((await get('k')).body.toString()).toBe('kept');
    expect(texts(await list(), 'VersionId')).toEqual([idOf(await kept)]);
  });

  test('a bucket of which only markers are left says what has to go', async () => {
    await make('Enabled');
    await remove('k');
    const whole = await send({ method: 'DELETE', target: `/${bucket}` });
    expect([whole.status, errorOf(whole)]).toEqual([
      409,
      {
        Code: 'BucketNotEmpty',
        Message: 'The bucket you tried to delete is not empty. You must delete all versions in the bucket.',
      },
    ]);
    const bad = await list('&key-marker=k&version-id-marker=none');
    expect([bad.status, errorOf(bad)]).toEqual([
      400,
      {
        Code: 'InvalidArgument',
        Message: 'Invalid version id specified',
        ArgumentName: 'version-id-marker',
        ArgumentValue: 'none',
      },
    ]);
  });
});
