import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { tryStorage } from '../admin/mount-check.ts';
import type { Random } from '../common/random.ts';
import type { CoordStore } from '../coord/store.ts';
import type { Backend, ProbedAbilities } from '../ufs/backend.ts';
import type { Writer } from '../ufs/backend-fence.ts';
import { type BackendDependencies, type BackendDescription, openBackend } from '../ufs/open-backend.ts';
import { CommandError } from './errors.ts';
import { isInCluster } from './server-settings.ts';
import type { Settings } from './settings-table.ts';

/** Where the coordination store says which root mount it belongs to, and what that was found to be able to do. */
const entryKey = 'cluster/root-mount';
/** For each call of the probe. */
const probeTimeoutMs = 5_000;

interface RootEntry {
  readonly uri: string;
  readonly endpoint?: string;
  readonly abilities?: ProbedAbilities;
}

export function rootUriOf(settings: Settings, dataFolder: string): string {
  return settings.rootMount ?? pathToFileURL(join(dataFolder, 'root')).href;
}

/**
 * Opens the storage that holds what no mount does. Storage elsewhere is probed once, and what it was found able to do is kept in the
 * coordination store. In a cluster all nodes must have the same: a node with another rejects with `CommandError`.
 */
export async function openRootMount(
  settings: Settings,
  rootUri: string,
  store: CoordStore,
  parts: BackendDependencies,
  random: Random,
  writer?: Writer,
): Promise<Backend> {
  const description = { ...describe(settings, rootUri), writer };
  const isElsewhere = /^(s3|gs|hdfs):/.test(rootUri);
  if (!isElsewhere && !isInCluster(settings)) return openBackend(parts, description);
  const abilities = await agree(settings, description, store, async () => {
    if (!isElsewhere) return undefined;
    const trial = await openBackend(parts, description);
    try {
      return await tryStorage(random, trial, false, probeTimeoutMs);
    } finally {
      await trial.close();
    }
  });
  return openBackend(parts, { ...description, abilities });
}

function describe(settings: Settings, uri: string): BackendDescription {
  return {
    uri,
    root: true,
    endpoint: settings.rootMountEndpoint,
    region: settings.rootMountRegion,
    user: settings.rootMountUser,
    pathStyle: settings.rootMountPathStyle,
    accessKeyId: settings.rootMountAccessKeyId,
    secretAccessKey: settings.rootMountSecretAccessKey,
  };
}

/** What the coordination store says of the root mount's abilities, after `probe` if it says nothing yet. */
async function agree(
  settings: Settings,
  { uri, endpoint }: BackendDescription,
  store: CoordStore,
  probe: () => Promise<ProbedAbilities | undefined>,
): Promise<ProbedAbilities | undefined> {
  for (;;) {
    const present = await store.get(entryKey);
    const agreed = present && (JSON.parse(present.value) as RootEntry);
    if (agreed?.uri === uri && agreed.endpoint === endpoint) return agreed.abilities;
    if (agreed && isInCluster(settings)) {
      throw new CommandError(
        `the cluster ${settings['cluster.name']} has the root mount ${placeOf(agreed)}, and this node is set to ${placeOf({ uri, endpoint })}: set FOREBAY_ROOT_MOUNT as on the other nodes, or another FOREBAY_CLUSTER_NAME`,
      );
    }
    const entry: RootEntry = { uri, endpoint, abilities: await probe() };
    const expected = present ? { revision: present.revision } : 'absent';
    // Somebody else may have been faster: then that holds.
    await store.putIf(entryKey, JSON.stringify(entry), expected);
  }
}

function placeOf({ uri, endpoint }: RootEntry): string {
  return endpoint === undefined ? uri : `${uri} at ${endpoint}`;
}
