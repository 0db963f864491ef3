import type { CoordStore, StoreEvent } from '../../src/coord/store.ts';

/** Holds back what watches deliver until `release`, as a store across a network does. */
export function delayed(store: CoordStore) {
  const held: (() => void)[] = [];
  const watching: { reset?: () => void } = {};
  const wrapped: CoordStore = {
    get: (key) => store.get(key),
    list: (prefix) => store.list(prefix),
    putIf: (key, value, expected, lease) => store.putIf(key, value, expected, lease),
    deleteIf: (key, expected) => store.deleteIf(key, expected),
    lease: (ttlMs) => store.lease(ttlMs),
    close: () => store.close(),
    watch: (prefix, from, onEvents, onReset) => {
      watching.reset = onReset;
      return store.watch(
        prefix,
        from,
        (events: readonly StoreEvent[]) => held.push(() => onEvents(events)),
        onReset,
      );
    },
  };
  const release = () => {
    for (const deliver of held.splice(0)) deliver();
  };
  return { wrapped, release, reset: () => watching.reset?.() };
}
