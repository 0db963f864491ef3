import { describe, test } from '@jest/globals';
import { findGcsEmulator } from '../../conformance/backends/gcs-emulator.ts';

export { CorrectedGcsEmulator, wrongAnswers } from '../../conformance/backends/gcs-corrections.ts';
export { GcsEmulator } from '../../conformance/backends/gcs-emulator.ts';

/** A suite over the emulator: left out, and named, where there is none; in continuous integration that is a failure. */
export async function describeOverGcsEmulator(name: string, suite: (program: string) => void): Promise<void> {
  const found = await findGcsEmulator();
  if ('program' in found) {
    describe(name, () => suite(found.program));
    return;
  }
  const missing = (inCi: boolean) => {
    if (inCi) throw new Error(`the emulator is not to be had: ${found.missing}`);
  };
  const inCi = process.env.CI === 'true';
  (inCi ? describe : describe.skip)(name, () => {
    test(`left out, since the emulator is not to be had: ${found.missing}`, () => missing(inCi));
  });
}
