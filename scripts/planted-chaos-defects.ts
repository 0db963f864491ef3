import type { PlantedDefect } from './planted-defects.ts';

/** Rules of `docs/chaos.md` that are switched off: a campaign finds each. */
export const plantedChaosDefects: readonly PlantedDefect[] = [
  {
    name: 'chaos: what is known is used after the view lease',
    file: 'src/ring/cluster-ownership.ts',
    right: 'if (!tenure || !this.lease.isValid()) return undefined;',
    wrong: 'if (!tenure) return undefined;',
    foundBy: { seed: 1, seconds: 90, more: ['--nodes', '4', '--only', 'node without etcd'] },
  },
  {
    name: 'chaos: objects are changed by whoever is asked, without waiting for who owned them',
    file: 'src/gateway/routing/owned-metadata.ts',
    right: '    const isKept = mayOthersKeep(target);',
    wrong: '    const isKept = mayOthersKeep(target) && false;',
    foundBy: {
      seed: 1,
      seconds: 90,
      more: ['--nodes', '4', '--only', 'node without etcd', '--settling', '1'],
    },
  },
  {
    name: 'chaos: what was known outlives the ownership',
    file: 'src/gateway/routing/owned-metadata.ts',
    right: '      cache.retain(({ incarnation, path }) => keeps(hashOf({ incarnation, path }))),',
    wrong: '      cache.retain(({ incarnation, path }) => keeps(hashOf({ incarnation, path })) || true),',
    foundBy: { seed: 1, seconds: 90, more: ['--nodes', '4', '--only', 'node without etcd'] },
  },
  {
    name: 'chaos: a node that does not own an object answers from what it knows',
    file: 'src/gateway/routing/owned-metadata.ts',
    right: '    return this.#ownership.mayKeepMetadata(hashOf(target));',
    wrong: '    return hashOf(target) >= 0;',
    foundBy: { seed: 1, seconds: 90, more: ['--nodes', '4', '--only', 'node without etcd'] },
  },
  {
    name: 'chaos: a change without an answer is sent again, and does not say what it replaces',
    file: 'src/ufs/s3-replace.ts',
    right: 'const work = () => this.#compareAndSet(change, send);',
    wrong: 'const work = () => send(undefined).catch(() => send(undefined));',
    foundBy: { seed: 1, seconds: 60, more: ['--only', 'done late'] },
  },
  {
    name: 'chaos: what a client demands of the key is looked at and not sent',
    file: 'src/ufs/s3-replace.ts',
    right: 'if (condition && !isAnyVersion(condition)) return this.#noting(key, condition, send);',
    wrong: 'if (condition && !isAnyVersion(condition)) return this.#noting(key, undefined, send);',
    foundBy: { seed: 1, seconds: 30 },
  },
  {
    name: 'chaos: pages of one version are taken for those of another',
    file: 'src/worker/page-key.ts',
    right: '    generation: target.meta.generation,',
    wrong: "    generation: '',",
    foundBy: { seed: 1, seconds: 15 },
  },
  {
    name: 'chaos: a reader is content with what was asked before it came',
    file: 'src/worker/metadata-cache.ts',
    right: 'const early = (!validating && young && isKept) || this.settings.mutants?.joinEarlierValidation;',
    wrong: 'const early = validating || young || this.settings.mutants?.joinEarlierValidation;',
    foundBy: {
      seed: 1,
      seconds: 60,
      more: ['--only', 'delay', '--outside', '30', '--clients', '30', '--rate', '120'],
    },
  },
  {
    name: 'chaos: a delete is answered before the storage has done it',
    file: 'src/ufs/s3-write.ts',
    right: 'return deletionOf((await this.deleteUnasked(key, sent)).headers);',
    wrong: 'this.deleteUnasked(key, { ...sent, signal: undefined }).catch(() => {});\n          return {};',
    foundBy: { seed: 1, seconds: 30 },
  },
  {
    name: 'chaos: what a node that is gone owned is kept though a change of it may come late',
    file: 'src/ring/cluster-ownership.ts',
    right: 'tenure.claim.isSettled(this.clock.monotonicMs())',
    wrong: 'tenure.claim.isReleased(this.clock.monotonicMs())',
    foundBy: {
      seed: 1,
      seconds: 180,
      more: [
        '--nodes',
        '4',
        '--only',
        'kill amid changes',
        '--changes',
        '10',
        '--clients',
        '40',
        '--rate',
        '120',
      ],
    },
  },
];
