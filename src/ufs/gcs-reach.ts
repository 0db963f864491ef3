import type { CallOptions } from './backend.ts';
import { UfsError } from './errors.ts';
import type { GcsParts } from './gcs.ts';
import { failed, ok, reachHost } from './reach-host.ts';
import type { ReachStep } from './reach-step.ts';

/** The way to a bucket: credentials, name, connection, TLS, what the storage makes of the credentials, and the bucket itself. */
export async function* reachGcs(
  { connection, place, lister, settings }: GcsParts,
  { signal }: CallOptions,
): AsyncGenerator<ReachStep, void, undefined> {
  const { authorizer, origin } = connection;
  try {
    await authorizer.headers(signal);
    yield ok('credentials', authorizer.origin);
  } catch (error) {
    yield failed('credentials', adviceOn(error, place.bucket));
    return;
  }
  const { protocol, hostname, port } = origin;
  const destination = { protocol, hostname, port: Number(port || (protocol === 'https:' ? 443 : 80)) };
  for await (const step of reachHost(settings, destination, { signal })) {
    yield step;
    if (step.result === 'failed') return;
  }
  try {
    await lister.list({ prefix: '', limit: 1, signal });
  } catch (error) {
    const isAboutToken = error instanceof UfsError && /\b401\b/.test(error.message);
    if (!isAboutToken && isAnswer(error)) yield ok('signature', 'the storage accepts the credentials');
    yield failed(isAboutToken || !isAnswer(error) ? 'signature' : 'bucket', adviceOn(error, place.bucket));
    return;
  }
  yield ok('signature', 'the storage accepts the credentials');
  yield ok('bucket', `${place.bucket} is there and can be listed`);
}

/** An error that tells of an answer by Cloud Storage, and not of what lies between. */
function isAnswer(error: unknown): boolean {
  return (
    error instanceof UfsError && error.code !== 'NoGcsAnswer' && !/^(timeout|cancelled|io)$/.test(error.kind)
  );
}

/** A fault in plain words, with what was said in brackets. */
function adviceOn(error: unknown, bucket: string): string {
  if (!(error instanceof UfsError)) throw error;
  const { code, kind, message } = error;
  if (code === 'NoGcsAnswer') return `what answers there is no Cloud Storage: check --endpoint (${message})`;
  if (kind === 'denied' && /no token could be had/.test(message)) {
    return `no credentials that hold were found: give --credentials-file, or --anonymous for a bucket that is open to all (${message})`;
  }
  if (/\b401\b/.test(message)) {
    return `the storage does not know whose request it is: give --credentials-file, or allow allUsers to read ${bucket} (${message})`;
  }
  if (kind === 'denied') {
    return `the storage knows the credentials, and they may not do this: give them the role Storage Object User on ${bucket} (${message})`;
  }
  if (/bucket does not exist/i.test(message))
    return `there is no bucket ${bucket}: check the URI (${message})`;
  return message;
}
