import type { Ownership, View } from '../../ring/ownership.ts';
import { anybody } from '../../ring/tenures.ts';
import type { FencedBackend } from '../../ufs/backend-fence.ts';
import type { MetadataTarget } from '../../worker/reader.ts';

type Target = Pick<MetadataTarget, 'backend'>;

/** What was ended in one storage. */
interface Fence {
  /** The view by which nobody but its members may change anything any more. */
  view?: View;
  /** Members that were ended, with the number that `Ownership.overdue` had for them. */
  readonly ended: Map<string, number>;
  raising?: Promise<void>;
}

/**
 * Of storages where a change that was held up could come after another's: before a node uses what it has gained there, it ends what those have
 * begun who did not release it (consistency rule 7). That is once for each storage and view.
 */
export class Fences {
  readonly #ownership: Ownership;
  readonly #fences = new WeakMap<FencedBackend, Fence>();

  constructor(ownership: Ownership) {
    this.#ownership = ownership;
  }

  /** Whether nobody else can change anything of what this node owns in the target's storage. */
  isClear({ backend }: Target): boolean {
    return backend.fence === undefined || this.#isRaised(this.#of(backend));
  }

  /** Sees to it that `isClear` holds, as far as nothing changes meanwhile. Rejects with `UfsError`. */
  async clear({ backend }: Target): Promise<void> {
    if (!backend.fence) return;
    const fence = this.#of(backend);
    while (!this.#isRaised(fence)) {
      fence.raising ??= this.#raise(fence, backend).finally(() => {
        fence.raising = undefined;
      });
      await fence.raising;
    }
  }

  #of(backend: FencedBackend): Fence {
    const known = this.#fences.get(backend);
    if (known) return known;
    const fence: Fence = { ended: new Map() };
    this.#fences.set(backend, fence);
    return fence;
  }

  #isRaised(fence: Fence): boolean {
    if (fence.view !== this.#ownership.view()) return false;
    for (const [incarnation, number] of this.#ownership.overdue())
      if (fence.ended.get(incarnation) !== number) return false;
    return true;
  }

  async #raise(fence: Fence, backend: FencedBackend): Promise<void> {
    const { incarnation } = this.#ownership;
    const view = this.#ownership.view();
    const overdue = this.#ownership.overdue();
    const members = new Set(view.members.map((member) => member.incarnation));
    const isToEnd = (name: string) => overdue.has(name) && overdue.get(name) !== fence.ended.get(name);
    await backend.fence?.(
      (writer) => writer === incarnation || (members.has(writer) && !isToEnd(writer) && !isToEnd(anybody)),
    );
    fence.view = view;
    for (const [name, number] of overdue) fence.ended.set(name, number);
    for (const name of fence.ended.keys()) if (!overdue.has(name)) fence.ended.delete(name);
  }
}
