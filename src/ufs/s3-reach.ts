import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { CallOptions } from './backend.ts';
import { UfsError } from './errors.ts';
import { failed, ok, reachHost } from './reach-host.ts';
import type { ReachStep } from './reach-step.ts';
import type { S3Parts } from './s3.ts';
import { adviceOn, isAboutSignature } from './s3-advice.ts';
import type { Destination } from './s3-wire.ts';

type Steps = AsyncGenerator<ReachStep, void, undefined>;

/** The way to a bucket: credentials, name, connection, TLS, signature, and the bucket itself. */
export async function* reachS3(parts: S3Parts, { signal }: CallOptions): Steps {
  const { connection, place, lister, settings } = parts;
  const list = () => new ListObjectsV2Command({ Bucket: place.bucket, Prefix: place.prefix, MaxKeys: 1 });
  let destination: Destination;
  try {
    const id = await connection.accessKeyId(signal);
    const origin = settings.credentials ? 'given with the mount' : 'found by the search of the AWS SDK';
    yield ok('credentials', `the access key ${id}, ${origin}`);
    destination = await connection.destination(list(), signal);
  } catch (error) {
    yield failed('credentials', adviceOn(error, settings));
    return;
  }
  const virtual = settings.pathStyle === false && settings.endpoint !== undefined;
  const hint = virtual ? ', or give --path-style if the bucket does not go into the host name' : '';
  let failure: ReachStep | undefined;
  for await (const step of reachHost(settings, destination, { signal, hint })) {
    yield step;
    if (step.result === 'failed') failure = step;
  }
  if (failure) return;
  try {
    await lister.list({ prefix: '', limit: 1, signal });
  } catch (error) {
    const signature = error instanceof UfsError && isAboutSignature(error.code);
    if (!signature && isAnswer(error)) yield ok('signature', 'the storage accepts the signature');
    yield failed(signature || !isAnswer(error) ? 'signature' : 'bucket', adviceOn(error, settings));
    return;
  }
  yield ok('signature', 'the storage accepts the signature');
  yield ok('bucket', `${place.bucket} is there and can be listed`);
}

/** An error that tells of an answer by an S3 server, and not of what lies between. */
function isAnswer(error: unknown): boolean {
  return (
    error instanceof UfsError &&
    error.code !== undefined &&
    error.code !== 'NoS3Answer' &&
    error.kind !== 'timeout' &&
    !/^E[A-Z]+$/.test(error.code)
  );
}
