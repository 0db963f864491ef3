import { afterAll, beforeAll } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { openGcsBackend } from '../../src/ufs/gcs.ts';
import { backendContract } from '../contracts/backend.ts';
import { CorrectedGcsEmulator, describeOverGcsEmulator, GcsEmulator } from '../support/gcs-emulator.ts';
import { everything, holds, refusedKeys, smallPieces } from './gcs-under-test.ts';

await describeOverGcsEmulator('over the emulator', (program) => {
  let emulator: GcsEmulator;
  let corrected: CorrectedGcsEmulator;
  let count = 0;

  beforeAll(async () => {
    emulator = await GcsEmulator.start(program);
    corrected = await CorrectedGcsEmulator.start(emulator.port);
  });
  afterAll(async () => {
    await corrected.close();
    await emulator.stop();
  });

  backendContract('a Cloud Storage bucket', async () => {
    const prefix = `in${++count}/`;
    const backend = openGcsBackend(systemClock, systemRandom, {
      uri: `gs://bucket/${prefix}`,
      endpoint: `http://127.0.0.1:${corrected.port}`,
      abilities: everything,
      minPartSizeBytes: 5,
      tuning: smallPieces,
    });
    return {
      backend,
      leftovers: async () => {
        await backend.idle();
        return corrected.hiddenBelow(prefix);
      },
      refusedKeys,
      holds,
      greatestMetadata: { one: 'ÿ'.repeat(1_021), two: 'b'.repeat(1_021) },
      close: () => backend.close(),
    };
  });
});
