import { unprobed } from '../../src/ufs/s3-settings.ts';
import { type Unprobed, undeclaredCapabilities } from '../contracts/undeclared-capabilities.ts';
import { startGcs } from '../ufs/gcs-under-test.ts';
import { startS3 } from '../ufs/s3-under-test.ts';

async function anotherS3(): Promise<Unprobed> {
  const s3 = await startS3();
  return {
    backend: s3.open({ abilities: unprobed }),
    stored: async () => {
      const { entries } = await s3.storage.list({ prefix: 'under/', limit: 10 });
      return entries.map((entry) => [entry.key.slice('under/'.length), 'etag' in entry ? entry.etag : '']);
    },
    close: s3.close,
  };
}

async function cloudStorage(): Promise<Unprobed> {
  const gcs = await startGcs();
  return {
    backend: gcs.open({ abilities: unprobed }),
    stored: async () => {
      const { entries } = await gcs.backend.list({ prefix: '', limit: 10 });
      return entries.map((entry) => [entry.key, 'etag' in entry ? entry.etag : '']);
    },
    close: gcs.close,
  };
}

undeclaredCapabilities('another S3', anotherS3);
undeclaredCapabilities('Cloud Storage', cloudStorage);
