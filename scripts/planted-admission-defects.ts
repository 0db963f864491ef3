import type { PlantedDefect } from './planted-defects.ts';

const admission = 'src/worker/admission.ts';
const ghost = 'src/worker/ghost.ts';

/** What could break unseen in what the page store keeps and what it gives up. */
export const plantedAdmissionDefects: readonly PlantedDefect[] = [
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
    right: 'this.widen(bytes);',
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
