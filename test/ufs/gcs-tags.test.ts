import { expect, test } from '@jest/globals';
import { plain, put } from '../contracts/backend.ts';
import { TestBody } from '../support/upload-body.ts';
import { failureOf, hasty, startGcs } from './gcs-under-test.ts';

test('of changes of tags at once each takes what the one before it has left', async () => {
  const gcs = await startGcs({ tuning: hasty });
  try {
    const { generation } = await gcs.backend.put('k', new TestBody('x'), {
      ...plain,
      userMetadata: { a: 'b' },
    });
    // Somebody else changes the object's metadata between the look and the change.
    let others = 0;
    gcs.proxy.rule = ({ method }) => {
      if (method !== 'PATCH' || others >= 2) return undefined;
      const metadata = { theirs: String(++others) };
      return { kind: 'before', run: async () => void gcs.stub.store.patch('in/k', { metadata }, {}) };
    };
    const tags = [{ key: 't', value: '1' }];
    const meta = await gcs.backend.amend('k', { tags, generation });
    expect(meta).toMatchObject({ generation, tagCount: 1, userMetadata: { a: 'b', theirs: '2' } });
    expect(gcs.proxy.count('PATCH')).toBe(3);
    others = -100;
    expect((await failureOf(gcs.backend.amend('k', { tags: [] }))).kind).toBe('throttled');
    expect(await gcs.backend.getTags('k')).toEqual(tags);
  } finally {
    await gcs.close();
  }
});

test('tags are changed of the version that is meant, and of no later one', async () => {
  const gcs = await startGcs({ tuning: hasty });
  try {
    const { generation } = await put(gcs.backend, 'k', 'first');
    gcs.proxy.rule = ({ method }) =>
      method === 'PATCH'
        ? { kind: 'before', run: async () => void gcs.stub.store.put('in/k', {}, Buffer.from('second'), {}) }
        : undefined;
    const change = { tags: [{ key: 't', value: '1' }], generation };
    expect((await failureOf(gcs.backend.amend('k', change))).kind).toBe('moved');
    expect(await gcs.backend.getTags('k')).toEqual([]);
  } finally {
    await gcs.close();
  }
});
