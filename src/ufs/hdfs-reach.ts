import type { CallOptions } from './backend.ts';
import { UfsError } from './errors.ts';
import type { HdfsParts } from './hdfs.ts';
import { failed, ok, reachHost } from './reach-host.ts';
import type { ReachStep } from './reach-step.ts';

/** The way to a directory: name, connection and TLS of each NameNode, what it makes of who asks, and the directory itself. */
export async function* reachHdfs(
  { place, client, settings }: HdfsParts,
  { signal }: CallOptions,
): AsyncGenerator<ReachStep, void, undefined> {
  const { user, delegationToken } = settings;
  const who =
    delegationToken === undefined ? (user ?? 'nobody in particular') : 'whoever the delegation token names';
  yield ok('credentials', `requests are made as ${who}`);
  let reached = 0;
  let last: ReachStep | undefined;
  for (const { protocol, hostname, port } of place.origins) {
    const destination = { protocol, hostname, port: Number(port || (protocol === 'https:' ? 443 : 80)) };
    let works = true;
    for await (const step of reachHost(settings, destination, { signal })) {
      if (step.result === 'failed') works = false;
      // Of several NameNodes one may be down.
      if (step.result === 'ok' || place.origins.length === 1) yield step;
      else last = step;
    }
    if (works) reached++;
  }
  if (reached === 0) {
    if (last) yield last;
    return;
  }
  const path = place.path([]);
  try {
    const status = await client.status(path, { signal });
    yield ok('signature', `the storage knows ${who}`);
    if (status.type !== 'DIRECTORY') {
      yield failed('bucket', `${path} is a file: name a directory in the URI`);
      return;
    }
    await client.list(path, undefined, { signal });
    yield ok('bucket', `${path} is there and can be listed`);
  } catch (error) {
    if (!(error instanceof UfsError)) throw error;
    const isAboutWho = /\b401\b|InvalidToken|Authentication/.test(error.message) || !isAnswer(error);
    if (!isAboutWho) yield ok('signature', `the storage knows ${who}`);
    yield failed(isAboutWho ? 'signature' : 'bucket', adviceOn(error, path, who));
  }
}

/** An error that tells of an answer by HDFS, and not of what lies between. */
function isAnswer({ code, kind }: UfsError): boolean {
  return code !== 'NoHdfsAnswer' && !/^(timeout|cancelled|io)$/.test(kind);
}

/** A fault in plain words, with what was said in brackets. */
function adviceOn({ code, kind, message }: UfsError, path: string, who: string): string {
  if (
    code === 'NoHdfsAnswer' ||
    /HTTP request to a Hadoop IPC port/i.test(message) ||
    code === 'HPE_INVALID_CONSTANT'
  ) {
    return `what answers there is no WebHDFS: give --endpoint with the HTTP port of the NameNode, which is 9870 unless dfs.namenode.http-address says otherwise (${message})`;
  }
  if (/\b401\b|InvalidToken|Authentication/.test(message)) {
    return `the storage asks for proof of who it is: give a delegation token with --credentials-file; Kerberos itself is not spoken (${message})`;
  }
  if (code === 'StandbyException') {
    return `this NameNode is not the active one: give all of them with --endpoint, parted by commas (${message})`;
  }
  if (/SafeMode/.test(message)) return `the NameNode is in safe mode and takes no changes yet (${message})`;
  if (kind === 'denied')
    return `${who} may not do this there: give another --user, or rights on ${path} (${message})`;
  if (kind === 'not-found') return `there is no directory ${path}: make it, or check the URI (${message})`;
  return message;
}
