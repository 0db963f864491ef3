import { CoordError, type CoordStore } from '../coord/store.ts';
import { thawKey } from './cluster-table.ts';
import type { RingWorker } from './ring.ts';
import {
  pointerKey,
  type RingSettings,
  settingsKey,
  type ViewPointer,
  workersPrefix,
} from './view-record.ts';

/** What an operator decides about the ring of a cluster. All methods reject with `CoordError`. */
export class RingControl {
  private readonly store: CoordStore;

  constructor(store: CoordStore) {
    this.store = store;
  }

  /** `present`: the workers that are registered by this, if they are not yet. */
  async setMode(mode: RingSettings['mode'], present: readonly RingWorker[]): Promise<void> {
    for (const { workerId, weight } of mode === 'static' ? present : []) {
      await this.store.putIf(workersPrefix + workerId, JSON.stringify({ workerId, weight }), 'absent');
    }
    const entry = await this.store.get(settingsKey);
    if (!entry) throw new CoordError('unavailable', 'the settings of the ring are not there');
    const settings = { ...(JSON.parse(entry.value) as RingSettings), mode };
    const { revision } = entry;
    if ((await this.store.putIf(settingsKey, JSON.stringify(settings), { revision })) !== undefined) return;
    throw new CoordError('unavailable', 'the settings of the ring were changed meanwhile: try again');
  }

  /** Ends the freezing of placement that the latest view has. */
  async thaw(): Promise<void> {
    const entry = await this.store.get(pointerKey);
    const epoch = entry ? (JSON.parse(entry.value) as ViewPointer).epoch : 0;
    await this.store.putIf(thawKey, String(epoch), 'any');
  }

  /** Forgets a registered worker. False if there is none of this id. */
  forget(workerId: string): Promise<boolean> {
    return this.store.deleteIf(workersPrefix + workerId, 'any');
  }
}
