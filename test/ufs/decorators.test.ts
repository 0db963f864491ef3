import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { Metrics } from '../../src/common/metrics.ts';
import { systemRandom } from '../../src/common/random.ts';
import { SetBackend } from '../../src/pending/sets/set-backend.ts';
import { StampedVersions } from '../../src/pending/stamped-versions.ts';
import type { Backend } from '../../src/ufs/backend.ts';
import { limitedBackend } from '../../src/ufs/limited.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { MeteredBackend } from '../../src/ufs/metered.ts';
import { openWriteBack } from '../pending/write-back-under-test.ts';

/** Members that not every backend has, as the source declares them: a new one cannot be left out. */
async function optionalMembers(): Promise<string[]> {
  const names: string[] = [];
  for (const file of ['backend.ts', 'backend-fence.ts']) {
    const text = await readFile(join(import.meta.dirname, '../../src/ufs', file), 'utf8');
    for (const [, body = ''] of text.matchAll(/^export interface (?:Fenced)?Backend .*?\{\n(.*?)^\}/gms))
      for (const [, name = ''] of body.matchAll(/^ {2}(?:readonly )?(\w+)\?[(:]/gm)) names.push(name);
  }
  return names;
}

/** A storage that has all of them. */
function withAll(names: readonly string[]): Backend {
  const inner = new MemoryBackend(systemClock, systemRandom);
  const ofAll = Object.fromEntries(names.map((name) => [name, name === 'versions' ? {} : () => undefined]));
  return Object.assign(inner, ofAll);
}

test('what stands before a storage hides nothing of what it can do', async () => {
  const names = await optionalMembers();
  expect(names).toEqual(
    expect.arrayContaining(['open', 'pin', 'versions', 'amend', 'reach', 'probe', 'fence']),
  );
  const inner = withAll(names);
  const writeBack = await openWriteBack(inner);
  const all: Readonly<Record<string, Backend>> = {
    metered: new MeteredBackend(new Metrics(), inner, 'm'),
    limited: limitedBackend(systemClock, inner, { maxRequests: 1 }),
    'pending writes': writeBack.backend,
    'pending writes of several nodes': new SetBackend(
      systemClock,
      'p',
      inner,
      inner,
      new StampedVersions(inner),
      {} as never,
      () => undefined,
      {} as never,
    ),
  };
  for (const [what, backend] of Object.entries(all)) {
    expect(backend).not.toBe(inner);
    const hidden = names.filter((name) => backend[name as keyof Backend] === undefined);
    expect([what, hidden]).toEqual([what, []]);
  }
  await writeBack.close();
});
