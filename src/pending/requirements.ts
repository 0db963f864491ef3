import { createDigest } from '../common/checksums.ts';
import type { Random } from '../common/random.ts';
import type { Backend } from '../ufs/backend.ts';
import { PlainBody } from '../ufs/plain-body.ts';

const required = [
  ['conditionalCreate', 'it does not decide If-None-Match of a PUT'],
  ['conditionalPut', 'it does not decide If-Match of a PUT'],
  ['conditionalDelete', 'it does not decide If-Match of a DELETE'],
  ['stamps', 'it keeps no notes beside an object'],
  ['anyKey', 'it does not hold every key'],
] as const;

/**
 * Why writes to a storage cannot be acknowledged before it has them, in words for operators; undefined if they can. Tries it with an object of
 * its own, which it removes again. Rejects with what the storage rejects with.
 */
export async function whyNotBack(random: Random, backend: Backend): Promise<string | undefined> {
  for (const [capability, reason] of required) if (!backend.capabilities[capability]) return reason;
  if ((await backend.versions?.mode?.()) !== undefined)
    return 'it keeps versions, whose ids are not known before';
  const key = `.forebay-check-${random.uuid()}`;
  const bytes = Buffer.from('written to try write mode back');
  const stamp = `forebay ${random.uuid()}`;
  await backend.put(key, PlainBody.of(bytes), { headers: {}, userMetadata: {}, stamp });
  try {
    const found = await backend.head(key);
    if (found.stamp !== stamp) return 'it does not give back the notes that are kept beside an object';
    const md5 = createDigest('MD5');
    md5.update(bytes);
    // It is told to clients before the storage has said one.
    if (found.etag !== md5.digest().toString('hex')) return 'its ETags are not the MD5 of an object’s bytes';
    return undefined;
  } finally {
    await backend.delete(key);
  }
}
