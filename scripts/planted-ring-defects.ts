import type { PlantedDefect } from './planted-defects.ts';

const ring = ['test/ring/ring.test'];
const cluster = ['test/ring/cluster.test'];
const tenures = ['test/ring/tenures'];
const views = ['test/ring/next-view'];
/** Found by the campaign too, within its seeds. */
const campaign = ['test/ring/campaign'];

/** What could break unseen of the views of a cluster and of what a node does by them. */
export const plantedRingDefects: readonly PlantedDefect[] = [
  {
    name: 'a node with another secret becomes a member, whom nobody talks to',
    file: 'src/cli/node.ts',
    right: 'await peering.checkSecret();',
    wrong: '',
    foundBy: ['test/cli/ring.test'],
  },
  {
    name: 'a part of a large ring is not in order',
    file: 'src/ring/virtual-nodes.ts',
    right: 'sorted.subarray(starts[part], end).sort();',
    wrong: 'if (part > 0) sorted.subarray(starts[part], end).sort();',
    foundBy: ['test/ring/ring.test'],
  },
  {
    name: 'a plan takes each node to lose as much as the one that is asked',
    file: 'src/ring/ring-plan.ts',
    right: 'shareLost: lost.get(workerId) ?? 0,',
    wrong: 'shareLost: sumOf(lost.values()) / workerIds.length,',
    foundBy: ['test/ring/ring-plan'],
  },
  {
    name: 'a copy of a data folder takes the place of its original, which is alive',
    file: 'src/ring/predecessors.ts',
    right: 'const gone = before?.place === place ? before.incarnations : [];',
    wrong: 'const gone = before?.incarnations ?? [];',
    foundBy: ['test/ring/predecessors', 'test/cli/ring'],
  },
  {
    name: 'the entry of an earlier start is removed whether or not that is gone',
    file: 'src/ring/membership.ts',
    right: 'if (!this.predecessors.includes(record.incarnation)) return false;',
    wrong: '',
    foundBy: ['test/ring/predecessors', 'test/cli/ring'],
  },
  {
    name: 'a node that starts while etcd goes away ends',
    file: 'src/cli/patience.ts',
    right: "return error.kind === 'unavailable' ? mendable(error) : undefined;",
    wrong: 'return undefined;',
    foundBy: ['test/cli/patience', 'test/cli/late-etcd'],
  },
  {
    name: 'the view lease is not tested when metadata is used',
    file: 'src/ring/cluster-ownership.ts',
    right: 'if (!tenure || !this.lease.isValid()) return false;',
    wrong: 'if (!tenure) return false;',
    foundBy: campaign,
  },
  {
    name: 'the view lease does not end by itself while a node stands still',
    file: 'src/ring/view-lease.ts',
    right: 'return this.clock.monotonicMs() < monotonicMs && this.clock.nowMs() < wallMs;',
    wrong: 'return this.clock.monotonicMs() < monotonicMs + 400 && this.clock.nowMs() < wallMs + 400;',
    foundBy: cluster,
  },
  {
    name: 'the view lease goes by the wall clock alone',
    file: 'src/ring/view-lease.ts',
    right: 'return this.clock.monotonicMs() < monotonicMs && this.clock.nowMs() < wallMs;',
    wrong: 'return Number.isFinite(monotonicMs) && this.clock.nowMs() < wallMs;',
    foundBy: cluster,
  },
  {
    name: 'the view lease goes by the monotonic clock alone',
    file: 'src/ring/view-lease.ts',
    right: 'return this.clock.monotonicMs() < monotonicMs && this.clock.nowMs() < wallMs;',
    wrong: 'return this.clock.monotonicMs() < monotonicMs && Number.isFinite(wallMs);',
    foundBy: cluster,
  },
  {
    name: 'the view lease counts from the answer',
    file: 'src/ring/view-follower.ts',
    right: `    const sent = momentOf(this.clock);
    const entry = await this.store.get(pointerKey);`,
    wrong: `    const entry = await this.store.get(pointerKey);
    const sent = momentOf(this.clock);`,
    foundBy: cluster,
  },
  {
    name: 'what was gained is used without waiting',
    file: 'src/ring/tenures.ts',
    right: 'claim: waiting.size === 0 ? undefined : shared(claims, waiting),',
    wrong: 'claim: waiting.size === 0 ? shared(claims, waiting) : undefined,',
    foundBy: [...cluster, ...campaign],
  },
  {
    name: 'what was gained is used while a crashed owner may still act',
    file: 'src/ring/view-lease.ts',
    right: 'return Math.ceil(leaseMs * 1.1) + 50;',
    wrong: 'return leaseMs / 2;',
    foundBy: cluster,
  },
  {
    name: 'only the last of several owners is waited for',
    file: 'src/ring/cluster-ownership.ts',
    right: 'if (before) this.pastViews = [...this.pastViews, { view: before, deadAtMs }];',
    wrong: 'if (before) this.pastViews = [{ view: before, deadAtMs }];',
    foundBy: cluster,
  },
  {
    name: 'owners that are not known are not waited for',
    file: 'src/ring/tenures.ts',
    right: 'const unknown = step.unknownUntilMs > step.nowMs',
    wrong: 'const unknown = step.unknownUntilMs === step.nowMs',
    foundBy: tenures,
  },
  {
    name: 'metadata outlives views that were skipped',
    file: 'src/ring/view-follower.ts',
    right: 'this.ownership.apply(view, seenMs, i > 0 || isComplete)',
    wrong: 'this.ownership.apply(view, seenMs, i >= 0 || isComplete)',
    foundBy: cluster,
  },
  {
    name: 'views that were missed are not caught up with',
    file: 'src/ring/view-follower.ts',
    right: 'views.length < maxSteps;',
    wrong: 'views.length < maxSteps - maxSteps;',
    foundBy: cluster,
  },
  {
    name: 'metadata is kept though its range is lost',
    file: 'src/ring/cluster-ownership.ts',
    right: 'keeps: (objectHash) => this.isOwnedSince(segmentPosition(objectHash, 0), step - 1),',
    wrong: 'keeps: (objectHash) => this.isOwnedSince(segmentPosition(objectHash, 0), step),',
    foundBy: cluster,
  },
  {
    name: 'a write is acknowledged though its object was another node’s meanwhile',
    file: 'src/ring/cluster-ownership.ts',
    right: 'this.isOwnedSince(write.position, write.began) && this.mayUseMetadata(objectHash)',
    wrong: 'this.mayUseMetadata(objectHash)',
    foundBy: cluster,
  },
  {
    name: 'a range is released while writes to it are under way',
    file: 'src/ring/cluster-ownership.ts',
    right: 'await this.writes.untilLeftEnded(signal);',
    wrong: '',
    foundBy: cluster,
  },
  {
    name: 'a range is released before the view is applied',
    file: 'src/ring/cluster-ownership.ts',
    right: `    await this.whenApplied(epoch, signal);
    await this.writes`,
    wrong: '    await this.writes',
    foundBy: [...cluster, ...campaign],
  },
  {
    name: 'nobody is asked for releases',
    file: 'src/ring/releases.ts',
    right: 'if (!question) return;',
    wrong: 'if (question) return;',
    foundBy: cluster,
  },
  {
    name: 'a view that is older than one that was seen is accepted',
    file: 'src/ring/view-follower.ts',
    right: 'const isLate = sent === undefined || sent.monotonicMs < this.knownAtMs;',
    wrong: 'const isLate = sent === undefined || sent.monotonicMs > 0;',
    foundBy: cluster,
  },
  {
    name: 'another view of the same number is accepted',
    file: 'src/ring/view-follower.ts',
    right: '(order === 0 && pointer?.id !== known.id)',
    wrong: '(order === 0 && pointer === known)',
    foundBy: cluster,
  },
  {
    name: 'a node that starts does not know which view it had seen',
    file: 'src/ring/view-follower.ts',
    right: "await this.own.putIf(seenKey, JSON.stringify(this.known), 'any');",
    wrong: '',
    foundBy: cluster,
  },
  {
    name: 'two nodes write views over each other',
    file: 'src/ring/view-writer.ts',
    right: "const expected = pointer ? { revision: pointer.revision } : 'absent';",
    wrong: "const expected = pointer ? 'any' : 'absent';",
    foundBy: campaign,
  },
  {
    name: 'a copy of a data folder takes the place of its original',
    file: 'src/ring/membership.ts',
    right: "JSON.stringify(this.record), 'absent', lease)",
    wrong: "JSON.stringify(this.record), 'any', lease)",
    foundBy: cluster,
  },
  {
    name: 'views are kept for ever',
    file: 'src/ring/view-writer.ts',
    right: 'if (view.epoch % sweepEvery === 0)',
    wrong: 'if (view.epoch % sweepEvery === -1)',
    foundBy: cluster,
  },
  {
    name: 'losses are counted one by one',
    file: 'src/ring/next-view.ts',
    right: '[...state.lostLately, ...lostBetween(present, state.alive)]',
    wrong: '[...lostBetween(present, state.alive)]',
    foundBy: views,
  },
  {
    name: 'a third of the workers freezes placement',
    file: 'src/ring/next-view.ts',
    right: 'missing * 3 > workers.size',
    wrong: 'missing * 3 >= workers.size',
    foundBy: views,
  },
  {
    name: 'one node that is cut off takes ownership from all others',
    file: 'src/ring/next-view.ts',
    right: '(counts.get(by) ?? 0) <= most',
    wrong: '(counts.get(by) ?? 0) > 0',
    foundBy: views,
  },
  {
    name: 'a ring out of another has virtual nodes of who is gone',
    file: 'src/ring/virtual-nodes.ts',
    right: 'if (owner < 0) continue;',
    wrong: 'if (owner < -1) continue;',
    foundBy: ring,
  },
];
