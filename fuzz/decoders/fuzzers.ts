import type { Fuzzer } from '../lib/fuzzer.ts';
import { chunksCheck } from './chunks-check.ts';
import { DecoderRun } from './decoder-run.ts';
import { copySourceCheck, percentCheck, queryCheck } from './names-check.ts';
import { rangeCheck } from './range-check.ts';
import { xmlCheck } from './xml-check.ts';

export const decoderFuzzers: readonly Fuzzer[] = [
  {
    name: 'decoders',
    title: 'decoders',
    open: async () =>
      new DecoderRun([xmlCheck, rangeCheck, copySourceCheck, percentCheck, queryCheck, chunksCheck]),
  },
];
