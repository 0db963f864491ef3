import type { Drawn } from './step.ts';
import { told } from './step.ts';
import type { World } from './world.ts';

/** Switches the keeping of versions on and off again. */
export function drawVersioning(world: World): Drawn {
  const { draws } = world;
  const status = draws.pick(['Enabled', 'Enabled', 'Suspended']);
  const body = `<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`;
  const bucket = world.bucket();
  return { operation: 'PutBucketVersioning', method: 'PUT', bucket, query: [['versioning', '']], body };
}

/** Lists versions and delete markers. */
export function drawListVersions(world: World): Drawn {
  const { draws } = world;
  const query: [string, string][] = [['versions', '']];
  if (draws.chance(0.3)) query.push(['prefix', world.key().slice(0, draws.below(3))]);
  if (draws.chance(0.3) && world.allows('delimiters of versions')) query.push(['delimiter', '/']);
  if (draws.chance(0.4) && world.allows('pages of versions'))
    query.push(['max-keys', draws.pick(['1', '2', '1000'])]);
  if (draws.chance(0.3) && world.allows('pages of versions')) query.push(['key-marker', world.key()]);
  return { operation: 'ListObjectVersions', method: 'GET', bucket: world.bucket(), query };
}

/** The same step about one version that an earlier one made, now and then about nobody's. */
export function ofSomeVersion(world: World, drawn: Drawn): Drawn {
  const { draws } = world;
  const { bucket, key, query = [] } = drawn;
  const made = world.puts.filter((put) => put.bucket === bucket && put.key === key);
  const id = made.length === 0 || draws.chance(0.05) ? 'null' : told('version', draws.pick(made).stepId);
  return { ...drawn, query: [...query, ['versionId', id]] };
}
