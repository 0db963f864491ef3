/** Objects that are open or closed by their tags, and are overwritten while they are read. */
import { expect, test } from '@jest/globals';
import { told, useAccessScene } from './access-scene.ts';

const at = useAccessScene();
const rounds = 60;

test('nothing is read by the tags of what was there before or after it', async () => {
  await at.setPolicy(at.allowing({ Condition: { StringEquals: { 's3:ExistingObjectTag/kind': 'public' } } }));
  let isOver = false;
  const seen = new Set<string>();
  const read = async () => {
    while (!isOver) {
      const answer = await at.get('k');
      seen.add(answer.status === 200 ? answer.body : String(told(answer)));
    }
  };
  const write = async () => {
    for (let round = 0; round < rounds; round++) {
      const target = `/${at.bucket}/k`;
      await at.ok({ method: 'PUT', target, headers: { 'x-amz-tagging': 'kind=public' }, body: 'open' });
      await at.ok({ method: 'PUT', target, body: 'secret' });
    }
    isOver = true;
  };
  await Promise.all([write(), ...Array.from({ length: 4 }, read)]);
  expect(seen).toContain('open');
  expect(seen).not.toContain('secret');
}, 60_000);
