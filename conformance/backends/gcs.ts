import { CorrectedGcsEmulator } from './gcs-corrections.ts';
import { findGcsEmulator, GcsEmulator } from './gcs-emulator.ts';
import { type FillableStorage, NotInstallable } from './storage-server.ts';

/** The emulator of Cloud Storage, with what it gets wrong put right. */
export async function startGcs(): Promise<FillableStorage> {
  const found = await findGcsEmulator();
  if ('missing' in found) throw new NotInstallable(found.missing);
  const emulator = await GcsEmulator.start(found.program);
  const corrected = await CorrectedGcsEmulator.start(emulator.port);
  const options = ['--endpoint', `http://127.0.0.1:${corrected.port}`, '--anonymous'];
  return {
    name: 'gcs',
    makePlace: async (name) => ({ uri: `gs://bucket/${name}/`, options }),
    fill: (name, keys) =>
      fill(
        emulator.port,
        keys.map((key) => `${name}/${key}`),
      ),
    // It is started with its log at errors, and tells none.
    logTail: async () => '',
    stop: async () => {
      await corrected.close();
      await emulator.stop();
    },
  };
}

/** Makes empty objects straight at the emulator. */
async function fill(port: number, names: readonly string[]): Promise<void> {
  const left = names[Symbol.iterator]();
  const work = async () => {
    for (const name of left) {
      const query = `uploadType=media&name=${encodeURIComponent(name)}`;
      const url = `http://127.0.0.1:${port}/upload/storage/v1/b/bucket/o?${query}`;
      const answer = await fetch(url, { method: 'POST', body: '' });
      if (!answer.ok) throw new Error(`${name} could not be made: ${answer.status}`);
      await answer.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
}
