import { fileURLToPath } from 'node:url';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Random } from '../common/random.ts';
import type { Backend, ProbedAbilities } from './backend.ts';
import type { Writer } from './backend-fence.ts';
import { UfsError } from './errors.ts';
import type { FileSystem } from './file-system.ts';
import type { GcsBackendSettings, GcsCredentials } from './gcs-settings.ts';
import type { HdfsOpenSettings } from './hdfs.ts';
import { MemoryBackend } from './memory.ts';
import { openRootBackend } from './root.ts';
import type { S3BackendSettings } from './s3-settings.ts';
import { openTreeBackend } from './tree.ts';
import type { UploadLimits } from './upload-expiry.ts';

export interface BackendDescription {
  /** `file:///absolute/path`, `s3://bucket/prefix/`, `gs://bucket/prefix/`, `hdfs://name/path/`, or `memory:` where allowed. */
  readonly uri: string;
  /** Of `s3:`, `gs:` and `hdfs:`; see `S3BackendSettings`, `GcsBackendSettings` and `HdfsBackendSettings`. */
  readonly endpoint?: string;
  /** Of `s3:` only. */
  readonly region?: string;
  readonly pathStyle?: boolean;
  readonly accessKeyId?: string;
  /** Of `gs:`: the text of a credentials file, or nobody's rights; neither: what Google's library finds. Of `hdfs:`: a delegation token. */
  readonly credentials?: string;
  readonly anonymous?: boolean;
  /** Of `hdfs:` only. */
  readonly user?: string;
  /** Of `hdfs:`, for changes by a node of a cluster; see `FencedBackend`. */
  readonly writer?: Writer;
  /** What a probe has shown of the storage. */
  readonly abilities?: ProbedAbilities;
  /** Of `file:` only. True for the root mount: Forebay's own layout, made where there is nothing yet. Otherwise an existing tree as it is. */
  readonly root?: boolean;
  /** Nothing of what lies there is changed by itself. */
  readonly readOnly?: boolean;
  /** For tests and trials: `memory:` keeps objects only as long as the process lives. */
  readonly allowMemory?: boolean;
  /** The mount's own secret, for the schemes that sign their requests; a file system needs none. */
  readonly secretAccessKey?: string;
  /** Least size of a part that is not the last; S3's 5 MiB by default. */
  readonly minPartSizeBytes?: number;
}

export interface BackendDependencies {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of the multipart uploads of each backend; see `UploadLimits`. */
  readonly uploadLimits?: UploadLimits;
  /** Forebay's own folders, absolute: a tree that overlaps with one is refused. */
  readonly ownFolders?: readonly string[];
  /** How storage in the network is reached; nothing of it for a direct way with the usual certificates. */
  readonly network?: Pick<
    S3BackendSettings,
    'caPem' | 'proxyUrl' | 'noProxy' | 'minBytesPerSecond' | 'settlingMs'
  >;
}

/**
 * Opens the backend that a URI names. Kinds: not-implemented (a scheme that is not there, or a URI of another form), unavailable (a
 * path that is not there, or is no root).
 */
export async function openBackend(
  { fs, clock, random, log, uploadLimits, ownFolders, network }: BackendDependencies,
  description: BackendDescription,
): Promise<Backend> {
  const { uri, root = false, readOnly = false, allowMemory = false, minPartSizeBytes } = description;
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(uri)?.[1]?.toLowerCase();
  if (scheme === 'file') {
    const path = pathOf(uri);
    return root
      ? openRootBackend(fs, clock, random, log, { path, minPartSizeBytes, uploadLimits })
      : openTreeBackend(fs, clock, random, {
          path,
          minPartSizeBytes,
          uploadLimits: readOnly ? undefined : uploadLimits,
          apartFrom: ownFolders,
          onFault: (error) => log.warn({ err: error, uri }, 'idle uploads could not be removed'),
        });
  }
  if (scheme === 's3') {
    // Loaded only where there is such a mount: the SDK takes some 13 MiB.
    const { openS3Backend } = await import('./s3.ts');
    return openS3Backend(clock, random, { ...network, ...s3Settings(description) });
  }
  if (scheme === 'gs') {
    // As above: Google's library takes some 20 MiB.
    const { openGcsBackend } = await import('./gcs.ts');
    return openGcsBackend(clock, random, {
      ...network,
      ...gcsSettings(description),
      uploadLimits: readOnly ? undefined : uploadLimits,
      onFault: (error) => log.warn({ err: error, uri }, 'idle uploads could not be removed'),
    });
  }
  if (scheme === 'hdfs') {
    const { openHdfsBackend } = await import('./hdfs.ts');
    return openHdfsBackend(clock, random, {
      ...network,
      ...hdfsSettings(description),
      uploadLimits: readOnly ? undefined : uploadLimits,
      onFault: (error) => log.warn({ err: error, uri }, 'idle uploads could not be removed'),
    });
  }
  if (scheme === 'memory' && allowMemory) return new MemoryBackend(clock, random, { uri, minPartSizeBytes });
  throw new UfsError(
    'not-implemented',
    scheme ? `there is no backend for ${scheme}: URIs; use ${examples}` : `${uri} is no URI; use ${examples}`,
    { backend: uri },
  );
}

const examples = 'file:///absolute/path, s3://bucket/prefix, gs://bucket/prefix or hdfs://namenode/path';

function s3Settings(description: BackendDescription): S3BackendSettings {
  const { uri, endpoint, region, pathStyle, accessKeyId, secretAccessKey, abilities } = description;
  const credentials =
    accessKeyId === undefined || secretAccessKey === undefined ? undefined : { accessKeyId, secretAccessKey };
  return { uri, endpoint, region, pathStyle, credentials, abilities };
}

function gcsSettings(description: BackendDescription): GcsBackendSettings {
  const { uri, endpoint, credentials: text, anonymous, abilities, minPartSizeBytes } = description;
  const credentials: GcsCredentials | undefined =
    text !== undefined ? { kind: 'file', text } : anonymous ? { kind: 'anonymous' } : undefined;
  return { uri, endpoint, credentials, abilities, minPartSizeBytes };
}

function hdfsSettings(description: BackendDescription): HdfsOpenSettings {
  const { uri, endpoint, user, writer, credentials, abilities, minPartSizeBytes } = description;
  return { uri, endpoint, user, writer, delegationToken: credentials?.trim(), abilities, minPartSizeBytes };
}

/** The absolute path that a `file:` URI names. Kinds: not-implemented. */
export function pathOf(uri: string): string {
  let reason = 'it must have an absolute path and no host';
  try {
    const url = new URL(uri);
    const plain = /^file:\/\/(localhost)?\//i.test(uri) && !url.search && !url.hash && !url.username;
    const path = plain ? fileURLToPath(url) : '';
    if (path && !path.includes('\0')) return path.length > 1 ? path.replace(/\/+$/, '') || '/' : path;
  } catch (error) {
    reason = (error as Error).message;
  }
  throw new UfsError('not-implemented', `${uri} names no directory: ${reason}`, { backend: uri });
}
