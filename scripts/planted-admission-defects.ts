import type { PlantedDefect } from './planted-defects.ts';

const admission = 'src/worker/admission.ts';
const ghost = 'src/worker/ghost.ts';

/** What could break unseen in what the page store keeps and what it gives up. */
export const plantedAdmissionDefects: readonly PlantedDefect[] = [
  {
    name: 'admission: a scan goes to main at once',
    file: admission,
    right: "if (this.filled) return 'small';",
    wrong: "if (this.filled) return 'main';",
    foundBy: ['test/bench/replay'],
  },
  {
    name: 'admission: reads are not counted',
    file: 'bench/replay/region-cache.ts',
    right: 'Math.min(maxReads, this.readsOf(id) + 1)',
    wrong: 'Math.min(maxReads, this.readsOf(id))',
    foundBy: ['test/bench/replay'],
  },
  {
    name: 'admission: the ghost is not asked',
    file: admission,
    right: 'if (this.droppedFromSmall.take(fingerprint)) {',
    wrong: 'if (bytes < 0 && this.droppedFromSmall.take(fingerprint)) {',
    foundBy: ['test/bench/replay'],
  },
  {
    name: 'admission: the bound on bytes is below what a cache can reach',
    file: 'bench/replay/bounds.ts',
    right: 'if (at >= countedFrom) this.trim(at + 1);',
    wrong: 'this.trim(at + 1);',
    foundBy: ['test/bench/bounds'],
  },
  {
    name: 'admission: the bound on objects forgets hits',
    file: 'bench/replay/bounds.ts',
    right: '(nextUse - Math.max(at, countedFrom))',
    wrong: '(nextUse - at)',
    foundBy: ['test/bench/bounds'],
  },
  {
    name: 'admission: what is carried within main has no bound',
    file: admission,
    right: 'this.carryCredit -= bytes;',
    wrong: '',
    foundBy: ['test/worker/admission'],
  },
  {
    name: 'admission: the small queue never widens',
    file: admission,
    right: 'this.widen(widening * bytes);',
    wrong: '',
    foundBy: ['test/worker/admission'],
  },
  {
    name: 'admission: the small queue never narrows',
    file: admission,
    right: 'this.widen(-narrowing * bytes);',
    wrong: 'this.widen(0);',
    foundBy: ['test/worker/admission'],
  },
  {
    name: 'admission: a name is remembered for ever',
    file: ghost,
    right: ' || this.ageOf(slot) > this.windowAge) continue;',
    wrong: ') continue;',
    foundBy: ['test/worker/ghost'],
  },
  {
    name: 'admission: a full bucket loses its youngest name',
    file: ghost,
    right: 'if (this.ageOf(slot) > this.ageOf(oldest)) oldest = slot;',
    wrong: 'if (this.ageOf(slot) < this.ageOf(oldest)) oldest = slot;',
    foundBy: ['test/worker/ghost'],
  },
];
