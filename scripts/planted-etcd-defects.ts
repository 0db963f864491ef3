import type { PlantedDefect } from './planted-defects.ts';

const contract = ['test/coord/etcd.test'];
const faults = ['test/coord/etcd-faults'];
const following = ['test/coord/following'];

/** What could break unseen of the coordination store across a network. */
export const plantedEtcdDefects: readonly PlantedDefect[] = [
  {
    name: 'a watch skips what came while it was cut',
    file: 'src/coord/etcd-watch-session.ts',
    right: 'start_revision: String(watcher.nextRevision),',
    wrong: "start_revision: '0',",
    foundBy: faults,
  },
  {
    name: 'etcd compares nothing before it writes',
    file: 'src/coord/etcd.ts',
    right: 'const compare = comparison(this.keys.encode(key), expected);',
    wrong: "const compare = comparison(this.keys.encode(key), expected && 'any');",
    foundBy: contract,
  },
  {
    name: 'a lease that etcd has forgotten is believed in',
    file: 'src/coord/etcd-leases.ts',
    right: 'if (Number(answer.TTL) <= 0) this.end(held);',
    wrong: '',
    foundBy: faults,
  },
  {
    name: 'a lease that etcd refuses a write under is believed in',
    file: 'src/coord/etcd-leases.ts',
    right: `    const held = this.held.get(lease.id);
    if (held) this.end(held);
    return lost(lease.id);`,
    wrong: '    return lost(lease.id);',
    foundBy: faults,
  },
  {
    name: 'a lease that cannot be kept is believed in longer than etcd does',
    file: 'src/coord/etcd-leases.ts',
    right: 'return Math.max(0, Math.min(byMonotonic, this.untilWallMs - this.clock.nowMs()));',
    wrong: 'return Math.max(0, Math.min(byMonotonic, this.untilWallMs - this.clock.nowMs()) + 5_000);',
    foundBy: faults,
  },
  {
    name: 'a write whose answer was lost is sent again',
    file: 'src/coord/etcd-link.ts',
    right: 'return this.run(doing, work, this.settings.timeoutMs, wasNeverSent);',
    wrong: 'return this.run(doing, work, this.settings.timeoutMs, (error) => wasNeverSent(error) || true);',
    foundBy: faults,
  },
  {
    name: 'a change is answered before it was delivered here',
    file: 'src/coord/etcd.ts',
    right: 'await this.told(key, revision, untilMs - this.clock.monotonicMs());',
    wrong: '',
    foundBy: [...contract, ...faults],
  },
  {
    name: 'a watch whose changes were compacted goes on as if it had seen them',
    file: 'src/coord/etcd-watch-session.ts',
    right: `    if (!watcher || watcher.isOver) return;
    if (Number(answer.compact_revision) > 0) watcher.reset();`,
    wrong: `    if (!watcher || watcher.isOver) return;
    if (Number(answer.compact_revision) > 0) watcher.passOver(Number(answer.compact_revision));`,
    foundBy: faults,
  },
  {
    name: 'that etcd came back with an older state goes unnoticed',
    file: 'src/coord/etcd-watch-session.ts',
    right: 'else if (Number(answer.header.revision) < watcher.nextRevision - 1) {',
    wrong: 'else if (Number(answer.header.revision) < 0) {',
    foundBy: faults,
  },
  {
    name: 'a list of several pages is torn',
    file: 'src/coord/etcd-list.ts',
    right: 'const request = { key, range_end, limit, revision: revision ?? 0 };',
    wrong: 'const request = { key, range_end, limit, revision: 0 };',
    foundBy: contract,
  },
  {
    name: 'what a node writes while it lists again is forgotten until its watch brings it',
    file: 'src/coord/watched-prefix.ts',
    right: 'if (isNewer) rows.set(key, own);',
    wrong: 'if (isNewer && key === undefined) rows.set(key, own);',
    foundBy: following,
  },
  {
    name: 'a mirror counts as current by a list from before changes were followed again',
    file: 'src/coord/mirror-feed.ts',
    right: '    const update = await this.snapshot();\n    for (const post',
    wrong: '    const update = { count: this.count.read(), revision: 0, events: [] };\n    for (const post',
    foundBy: following,
  },
  {
    name: 'a mirror does not go back with a store that was restored',
    file: 'src/coord/mirror.ts',
    right: 'if (update.entries && update.revision < this.latest) {',
    wrong: 'if (update.entries && update.revision < 0) {',
    foundBy: following,
  },
  {
    name: 'a node joins a cluster with another root mount than its own',
    file: 'src/cli/root-mount.ts',
    right: 'if (agreed && isInCluster(settings)) {',
    wrong: 'if (agreed && isInCluster(settings) && agreed.uri === uri) {',
    foundBy: ['test/cli/cluster'],
  },
];
