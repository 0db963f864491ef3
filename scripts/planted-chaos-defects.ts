import type { PlantedDefect } from './planted-defects.ts';

/** Rules of `docs/chaos.md` that are switched off: a campaign finds each. */
export const plantedChaosDefects: readonly PlantedDefect[] = [
  {
    name: 'chaos: a node goes by a lease on metadata that other nodes make old',
    file: 'src/gateway/namespace.ts',
    right: "return this.#settings.isShared && freshness.kind === 'lease' ? { kind: 'always' } : freshness;",
    wrong: 'return freshness;',
    foundBy: { seed: 1, seconds: 15 },
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
    right: 'const early = (!validating && young) || this.settings.mutants?.joinEarlierValidation;',
    wrong: 'const early = validating || young || this.settings.mutants?.joinEarlierValidation;',
    foundBy: { seed: 1, seconds: 60, more: ['--only', 'delay', '--clients', '30', '--rate', '120'] },
  },
  {
    name: 'chaos: a delete is answered before the storage has done it',
    file: 'src/ufs/s3-write.ts',
    right: 'return deletionOf((await this.deleteUnasked(key, { signal, condition: expected })).headers);',
    wrong: 'this.deleteUnasked(key, { condition: expected }).catch(() => {});\n          return {};',
    foundBy: { seed: 1, seconds: 30 },
  },
];
