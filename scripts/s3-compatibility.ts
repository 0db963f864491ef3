/** `npm run compatibility`: writes `docs/s3-compatibility.md` out of the operation tables and the backends. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compatibilityDocument } from './s3-compatibility-document.ts';

await writeFile(
  join(import.meta.dirname, '..', 'docs', 's3-compatibility.md'),
  await compatibilityDocument(),
);
