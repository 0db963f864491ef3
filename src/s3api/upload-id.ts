import { S3Error } from './errors.ts';

/** The errors in which S3 names the upload. */
const naming: ReadonlySet<string> = new Set(['NoSuchUpload', 'InvalidPart', 'InvalidPartOrder']);

/** Runs a call for an upload; errors about it name it, as S3's do. */
export async function ofUpload<Result>(uploadId: string, call: () => Promise<Result>): Promise<Result> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof S3Error) || !naming.has(error.code)) throw error;
    throw error.withExtra({ UploadId: uploadId, ...error.extra });
  }
}
