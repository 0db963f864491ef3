import type { PlantedDefect } from './planted-defects.ts';

const readAhead = 'src/worker/read-ahead.ts';
const foundBy = ['test/worker/read-ahead'];

/** What could break unseen in what is filled ahead of readers. */
export const plantedReadAheadDefects: readonly PlantedDefect[] = [
  {
    name: 'read-ahead: a window is not closed when the client has gone',
    file: 'src/worker/range-stream.ts',
    right: 'this.window.close();',
    wrong: '',
    foundBy,
  },
  {
    name: 'read-ahead: a reader that was forgotten during its answer is followed for ever',
    file: readAhead,
    right: '|| !this.readers.renew(sequence, this.clock.monotonicMs())',
    wrong: '',
    foundBy,
  },
  {
    name: 'read-ahead: what nobody wants any more is filled all the same',
    file: 'src/worker/fill-run.ts',
    right: 'this.dropUnwanted();',
    wrong: '',
    foundBy,
  },
  {
    name: 'read-ahead: pages are asked for beyond the end of the object',
    file: readAhead,
    right: 'const windowEnd = Math.min(objectEnd, lastPage + 1 + sequence.aheadPages);',
    wrong: 'const windowEnd = lastPage + 1 + sequence.aheadPages;',
    foundBy,
  },
  {
    name: 'read-ahead: it outlives a version that moved',
    file: readAhead,
    right: 'if (sequence.held?.target.meta.generation !== generation) this.end(sequence);',
    wrong: '',
    foundBy,
  },
  {
    name: 'read-ahead: it waits for a silent reader for ever',
    file: readAhead,
    right: 'const leftMs = this.readers.forgetSilent(this.clock.monotonicMs());',
    wrong: 'const leftMs = this.settings.idleMs;',
    foundBy,
  },
  {
    name: 'read-ahead: it goes on after a client that went away in the middle',
    file: 'src/worker/range-stream.ts',
    right: 'if (!this.finished) this.following?.end();',
    wrong: '',
    foundBy,
  },
  {
    name: 'read-ahead: requests past the cache are followed too',
    file: 'src/worker/page-reader.ts',
    right: "return missing === 'fill' ? this.readAhead.take(target, range) : undefined;",
    wrong: 'return this.readAhead.take(target, range);',
    foundBy,
  },
  {
    name: 'read-ahead: it goes on where the store keeps nothing',
    file: 'src/worker/ahead-window.ts',
    right:
      "if (this.held.get(asked)?.state === 'failed' || this.isMissing(target, asked)) this.inVain = true;",
    wrong: '',
    foundBy,
  },
  {
    name: 'read-ahead: what nobody waits for is as urgent as the rest',
    file: 'src/worker/fill-budget.ts',
    right: 'if (waiter.isUrgent() !== urgent) continue;',
    wrong: '',
    foundBy: ['test/worker/fill-budget'],
  },
  {
    name: 'read-ahead: it takes all memory for fills',
    file: 'src/worker/fill-budget.ts',
    right: 'const backgroundShare = 0.5;',
    wrong: 'const backgroundShare = 1;',
    foundBy: ['test/worker/fill-budget'],
  },
  {
    name: 'read-ahead: every request counts as one that goes on',
    file: 'src/worker/sequential-readers.ts',
    right: 'const found = this.expected.get(placeOf(name, start));',
    wrong: 'const found = [...this.expected.values()].find((sequence) => sequence.name === name);',
    foundBy: ['test/worker/sequential-readers', 'test/worker/read-ahead'],
  },
  {
    name: 'read-ahead: a page that was just given up is joined',
    file: 'src/worker/fill-run.ts',
    right: 'if (this.waitingForBudget) this.failAll(cancelled(this.target));',
    wrong: '',
    foundBy: ['test/worker/page-fill'],
  },
  {
    name: 'read-ahead: a run that ends is asked for another page',
    file: 'src/worker/fill-run.ts',
    right: 'if (!flight) this.seal();',
    wrong: '',
    foundBy: ['test/worker/page-fill'],
  },
];
