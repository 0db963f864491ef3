import { CorrectedGcsEmulator } from './gcs-corrections.ts';
import { findGcsEmulator, GcsEmulator } from './gcs-emulator.ts';
import { NotInstallable, type StorageServer } from './storage-server.ts';

/** The emulator of Cloud Storage, with what it gets wrong put right. */
export async function startGcs(): Promise<StorageServer> {
  const found = await findGcsEmulator();
  if ('missing' in found) throw new NotInstallable(found.missing);
  const emulator = await GcsEmulator.start(found.program);
  const corrected = await CorrectedGcsEmulator.start(emulator.port);
  const options = ['--endpoint', `http://127.0.0.1:${corrected.port}`, '--anonymous'];
  return {
    name: 'gcs',
    makePlace: async (name) => ({ uri: `gs://bucket/${name}/`, options }),
    // It is started with its log at errors, and tells none.
    logTail: async () => '',
    stop: async () => {
      await corrected.close();
      await emulator.stop();
    },
  };
}
