import type { Drawn } from './step.ts';
import type { World } from './world.ts';

/** Both lists of objects. */
export function drawList(world: World): Drawn {
  const { draws } = world;
  const second = draws.chance(0.6);
  const query: [string, string][] = second ? [['list-type', '2']] : [];
  if (draws.chance(0.4))
    query.push(['prefix', draws.chance(0.8) ? world.key().slice(0, draws.below(3)) : 'zz']);
  if (draws.chance(0.4) && world.allows('delimiters'))
    query.push(['delimiter', draws.pick(['/', '/', 'a', '//'])]);
  const counts = ['1', '2', '3', '1000', '5000', '0'];
  if (world.allows('odd list arguments')) counts.push('-1', 'x');
  if (draws.chance(0.4)) query.push(['max-keys', draws.pick(counts)]);
  if (draws.chance(0.3)) query.push([second ? 'start-after' : 'marker', world.key()]);
  if (draws.chance(0.3)) query.push(['encoding-type', 'url']);
  if (draws.chance(0.2) && second) query.push(['fetch-owner', draws.pick(['true', 'false'])]);
  const operation = second ? 'ListObjectsV2' : 'ListObjects';
  return { operation, method: 'GET', bucket: world.bucket(), query };
}

export function drawBucket(world: World): Drawn {
  const bucket = world.bucket();
  const kind = world.draws.pick(['HeadBucket', 'GetBucketLocation', 'GetBucketVersioning'] as const);
  if (kind === 'HeadBucket') return { operation: kind, method: 'HEAD', bucket };
  const query = [[kind === 'GetBucketLocation' ? 'location' : 'versioning', '']] as const;
  return { operation: kind, method: 'GET', bucket, query };
}

export function drawOwnBucket(world: World): Drawn {
  const { draws } = world;
  const names = ['fuzz-new', 'fuzz-new', 'fuzz-two', 'Fuzz_Bad', 'fu'];
  const bucket = draws.pick(world.allows('odd bucket names') ? names : names.slice(0, 3));
  if (draws.chance(0.6)) return { operation: 'CreateBucket', method: 'PUT', bucket };
  return { operation: 'DeleteBucket', method: 'DELETE', bucket };
}
