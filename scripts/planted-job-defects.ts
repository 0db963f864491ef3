import type { PlantedDefect } from './planted-defects.ts';

const recovery = ['test/jobs/recovery'];
const takeover = ['test/jobs/takeover'];
const jobs = ['test/jobs/jobs.test'];
const options = ['test/jobs/options'];
const processes = ['test/cli/job-recovery'];
const loads = ['test/worker/page-loader'];
const objects = ['test/gateway/object-jobs'];
const loadsOnDisk = ['test/worker/disk-loads'];
const regions = ['test/worker/disk/region-check'];

/** What could break unseen where objects are loaded and freed: counts, and what is taken over from nodes that died. */
export const plantedJobDefects: readonly PlantedDefect[] = [
  {
    name: 'a shard is counted twice when its coordinator dies between the sums and its removal',
    file: 'src/jobs/job-state.ts',
    right: 'const isNext = shard.number === job.summedShards && shard.number < job.listed.shards;',
    wrong: 'const isNext = shard.number <= job.summedShards && shard.number < job.listed.shards;',
    foundBy: recovery,
  },
  {
    name: 'a shard is removed before it is summed up',
    file: 'src/jobs/planner.ts',
    right: 'if (job !== before.value && !(await this.#store.replace(before, job))) return true;',
    wrong:
      'for (const shard of past) await this.#store.removeShard(job.id, shard);\n    if (job !== before.value && !(await this.#store.replace(before, job))) return true;',
    foundBy: recovery,
  },
  {
    name: 'a shard is lost when its worker dies',
    file: 'src/jobs/job-store.ts',
    right: "const revision = await this.#store.putIf(key, workerId, 'absent', lease);",
    wrong: "void lease;\n    const revision = await this.#store.putIf(key, workerId, 'absent');",
    foundBy: takeover,
  },
  {
    name: 'a worker that stood still writes over what another has found since',
    file: 'src/jobs/job-store.ts',
    right: 'const expected = { revision: before.revision };',
    wrong: "const expected = before.revision < 0 ? 'absent' : 'any';",
    foundBy: recovery,
  },
  {
    name: 'the end of the list is not noticed',
    file: 'src/jobs/planner.ts',
    right: 'if (!list.goesOn) job = listedToTheEnd(job);',
    wrong: 'if (!list.goesOn && job.listed.shards < 3) job = listedToTheEnd(job);',
    foundBy: jobs,
  },
  {
    name: 'a failed object is reported as loaded',
    file: 'src/jobs/counts.ts',
    right: 'if (loadedBytes + cachedBytes !== sizeBytes) {',
    wrong: 'if (loadedBytes + cachedBytes > sizeBytes) {',
    foundBy: jobs,
  },
  {
    name: 'a job with failed objects has succeeded',
    file: 'src/jobs/job-state.ts',
    right: "if (job.counts.failed > 0) return { ...job, state: 'failed', endedMs: nowMs };",
    wrong: '',
    foundBy: jobs,
  },
  {
    name: 'a job that has found no object has succeeded with 0 bytes',
    file: 'src/jobs/job-state.ts',
    right: '(!isOfNodes(job) && objectsIn(job.counts) === job.counts.gone)',
    wrong: '(!isOfNodes(job) && objectsIn(job.counts) < job.counts.gone)',
    foundBy: jobs,
  },
  {
    name: 'what was done before a pause is done again',
    file: 'src/jobs/shard-run.ts',
    right: 'let after = this.#found.doneThrough ?? this.#found.after;',
    wrong: 'let after = this.#found.after;',
    foundBy: jobs,
  },
  {
    name: 'a job that is made while a node lets go of the last one is never begun',
    file: 'src/jobs/job-runner.ts',
    right: 'await woken;',
    wrong: 'await this.#wake.promise;',
    foundBy: jobs,
  },
  {
    name: 'pages count as loaded that the store does not keep',
    file: 'src/worker/page-loader.ts',
    right: 'if (this.isHere(target, page)) found.loadedBytes += lengthBytes;',
    wrong: 'found.loadedBytes += lengthBytes;',
    foundBy: loads,
  },
  {
    name: 'nobody plans any more when the process that planned is killed',
    file: 'src/jobs/job-store.ts',
    right: "const won = await this.#store.putIf(coordinator, workerId, 'absent', lease);",
    wrong: "void lease;\n    const won = await this.#store.putIf(coordinator, workerId, 'absent');",
    foundBy: takeover,
  },
  {
    name: 'what a process had begun that is killed is counted as done',
    file: 'src/jobs/shard-run.ts',
    right:
      'this.#found = { ...this.#found, doneThrough: key, counts: addCounts(this.#found.counts, found) };',
    wrong:
      'this.#found = { ...this.#found, doneThrough: this.#found.through, counts: addCounts(this.#found.counts, found) };',
    foundBy: processes,
  },
  {
    name: 'what is to come after a job is written when it is over already',
    file: 'src/jobs/planner.ts',
    right: 'await this.#store.add(next);',
    wrong: 'if (await this.#store.replace(before, { ...job, next: next.id })) await this.#store.add(next);',
    foundBy: recovery,
  },
  {
    name: 'behind a list without a key of the form nothing is looked for',
    file: 'src/jobs/planner.ts',
    right: 'if (list.through !== undefined) job = listedThrough(job, list.through);',
    wrong: 'if (list.through !== undefined && list.objects.length === 0) job = listedToTheEnd(job);',
    foundBy: options,
  },
  {
    name: 'of keys that are given one by one the last list alone is loaded',
    file: 'src/jobs/manifests.ts',
    right: 'high = middle;',
    wrong: 'high = low = middle;',
    foundBy: options,
  },
  {
    name: 'a key that was given and is not there is no failure',
    file: 'src/jobs/shard-run.ts',
    right: 'if (!outcome && hasManifest)',
    wrong: 'if (!outcome && hasManifest && key === undefined)',
    foundBy: options,
  },
  {
    name: 'a load is not verified again that lacked something',
    file: 'src/jobs/job-state.ts',
    right: "const isVerified = kind === 'verify' && counts.loaded === 0;",
    wrong: "const isVerified = kind === 'verify' && counts.loaded >= 0;",
    foundBy: options,
  },
  {
    name: 'the priority of a job does not count',
    file: 'src/jobs/job-runner.ts',
    right: 'return priorities.indexOf(b.priority) - priorities.indexOf(a.priority);',
    wrong: 'return priorities.indexOf(b.priority) * 0 - priorities.indexOf(a.priority) * 0;',
    foundBy: options,
  },
  {
    name: 'a job waits for ever for a node that is gone',
    file: 'src/jobs/planner.ts',
    right: 'if (await this.#giveUpLost(job, open)) return true;',
    wrong: '',
    foundBy: options,
  },
  {
    name: 'what goes through its disks is another node',
    file: 'src/jobs/job-runner.ts',
    right: 'if (worker !== undefined && worker !== this.#settings.workerId) continue;',
    wrong: '',
    foundBy: options,
  },
  {
    name: 'a plan leaves out what has to go',
    file: 'src/jobs/forecast.ts',
    right: 'usedBytes + plan.counts.loadedBytes - capacityBytes',
    wrong: 'plan.counts.loadedBytes - capacityBytes',
    foundBy: options,
  },
  {
    name: 'the pages of a part are left out where it begins within one',
    file: 'src/jobs/parts.ts',
    right: 'start: Math.floor(',
    wrong: 'start: Math.ceil(',
    foundBy: ['test/jobs/parts'],
  },
  {
    name: 'what a load brings again takes the place of what is read',
    file: 'src/worker/admission.ts',
    right: 'if (isLoad && this.filled) {',
    wrong: 'if (isLoad && bytes < 0) {',
    foundBy: ['test/worker/admission'],
  },
  {
    name: 'a load makes room as a reader does',
    file: 'src/worker/disk/directory-session.ts',
    right: "this.evict(victim, isForLoad ? 'hotter-than-a-load' : 'hot');",
    wrong: "this.evict(victim, 'hot');",
    foundBy: loadsOnDisk,
  },
  {
    name: 'a load is written where room is kept for what is carried',
    file: 'src/worker/disk/directory-session.ts',
    right: '(isLoad ? hasRoom : this.fits(first.bytes))',
    wrong: 'this.fits(first.bytes)',
    foundBy: loadsOnDisk,
  },
  {
    name: 'what is read counts one read less for each load that passes it',
    file: 'src/worker/disk/eviction.ts',
    right: "this.carrying === 'hot' ? 1 : 0",
    wrong: "this.carrying === 'all' ? 0 : 1",
    foundBy: loadsOnDisk,
  },
  {
    name: 'a load is not known as one',
    file: 'src/worker/page-loader.ts',
    right: '{ ...asked, isLoad: true } as const',
    wrong: '{ ...asked, isLoad: undefined } as const',
    foundBy: ['test/cli/job-room'],
  },
  {
    name: 'what did not stay is said to be loaded in the last round',
    file: 'src/jobs/shard-run.ts',
    right: 'isLastRound(this.#job) ? lastCountsOf(key, outcome) : countsOf(key, outcome)',
    wrong: 'isLastRound(this.#job) ? countsOf(key, outcome) : countsOf(key, outcome)',
    foundBy: options,
  },
  {
    name: 'a load goes as a reader does',
    file: 'src/worker/page-loader.ts',
    right:
      'if (!isOnItsWay && !fills.hasRoomAhead(pageLength(target.meta, target.pageSizeBytes, page)))\n      return undefined;\n    const flight = fills.demand(target, page, endPage);',
    wrong:
      'if (isOnItsWay && this.isHere(target, page)) return undefined;\n    const flight = fills.demand(target, page, endPage);\n    flight.join();',
    foundBy: loads,
  },
  {
    name: 'a load stands in line with readers',
    file: 'src/worker/page-loader.ts',
    right:
      'if (!isOnItsWay && !fills.hasRoomAhead(pageLength(target.meta, target.pageSizeBytes, page)))\n      return undefined;',
    wrong: 'if (isOnItsWay && this.isHere(target, page)) return undefined;',
    foundBy: loads,
  },
  {
    name: 'loads take all that may be on its way',
    file: 'src/worker/fill-budget.ts',
    right: 'const backgroundShare = 0.5;',
    wrong: 'const backgroundShare = 1;',
    foundBy: loads,
  },
  {
    name: 'what a policy never keeps is said to be loaded',
    file: 'src/gateway/object-jobs.ts',
    right: "if (place.policy?.keeps(place.path, meta.sizeBytes) === 'never') {",
    wrong: 'if (meta.sizeBytes < 0) {',
    foundBy: objects,
  },
  {
    name: 'pages that are too old are taken for loaded',
    file: 'src/gateway/object-jobs.ts',
    right: '      notBeforeSeconds,\n      meta,',
    wrong: '      meta,',
    foundBy: objects,
  },
  {
    name: 'pages are said to be checked that are not here',
    file: 'src/worker/page-loader.ts',
    right: 'if (isWhole) bytes +=',
    wrong: 'if (isWhole || bytes >= 0) bytes +=',
    foundBy: loads,
  },
  {
    name: 'damaged pages are counted as whole',
    file: 'src/worker/disk/region-check.ts',
    right: 'const found = isPlan || (await this.check.isWhole(entry)) ? whole : damaged;',
    wrong: 'const found = isPlan || (await this.check.isWhole(entry)) || bytes > 0 ? whole : damaged;',
    foundBy: regions,
  },
  {
    name: 'a sync takes what has changed for what was known',
    file: 'src/gateway/object-jobs.ts',
    right: 'meta.generation !== before.meta?.generation',
    wrong: 'meta.generation === undefined',
    foundBy: ['test/cli/job-outputs'],
  },
];
