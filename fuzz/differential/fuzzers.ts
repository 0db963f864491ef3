import type { ServerName } from '../../conformance/backends/storage-server.ts';
import { Scene } from '../../conformance/scene.ts';
import type { Fuzzer } from '../lib/fuzzer.ts';
import { DifferentialRun, type DifferentialSettings } from './differential-run.ts';
import { type KnownDifference, knownDifferences } from './known-differences.ts';
import { knownOfMounts } from './known-of-mounts.ts';
import { knownOfVersions } from './known-of-versions.ts';
import { DifferentialSide } from './side.ts';

const buckets = ['fuzz-one', 'fuzz-two'];
const keys = {
  moto: ['a', 'b', 'a/b', 'a/c', 'a//b', 'dir/', 'ü/ñ', 'a b+c', 'x%2Fy', "q'(1)!*~", '&<>"', '日本/€'],
  // It keeps objects as files: no key beside one below it, none that ends in a slash.
  s3proxy: ['a', 'b', 'c/b', 'c/c', 'd/e/f', 'ü/ñ', 'a b+c', 'x%2Fy', "q'(1)!*~", '日本/€'],
} as const;

/** What a server is known to get wrong in so many ways that nothing is learned from asking. */
const without: Readonly<Record<ServerName, readonly string[]>> = {
  moto: [
    ...[
      'wrong digests',
      'odd ranges',
      'odd bucket names',
      'odd list arguments',
      'odd part numbers',
      'unknown uploads',
    ],
    ...[
      'uploads of other keys',
      'pages of uploads',
      'conditions on sources',
      'conditions of copies',
      'wrong ends',
    ],
    ...['malformed deletions', 'If-None-Match: *', 'pages of versions', 'delimiters of versions'],
  ],
  s3proxy: [
    ...['unknown uploads', 'uploads of other keys', 'pages of uploads', 'pages of parts', 'odd bucket names'],
    ...['odd ranges', 'partNumber', 'conditions of copies', 'conditions of deletes', 'If-Range', 'versionId'],
    ...['ranges of HEAD', 'delimiters', 'PutObjectTagging'],
  ],
};

function endpointOf(scene: Scene, server: ServerName) {
  const env = scene.environment(server, 'direct');
  return {
    port: Number(env.S3_PORT),
    accessKeyId: env.AWS_ACCESS_KEY_ID ?? '',
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? '',
  };
}

function settingsFor(
  server: ServerName,
  ownBuckets: boolean,
  more: readonly KnownDifference[] = [],
  settings = false,
): DifferentialSettings {
  return {
    keys: keys[server],
    ownBuckets,
    settings,
    without: new Set(without[server]),
    buckets,
    extraBuckets: ownBuckets ? ['fuzz-new'] : [],
    known: [...knownDifferences[server], ...more],
  };
}

/** Forebay's own root mount beside another server. */
function overRoot(server: ServerName): Fuzzer {
  return {
    name: `root-${server}`,
    title: `the root mount beside ${server}`,
    open: async () => {
      const scene = await Scene.open([server]);
      const { node } = scene;
      const ours = new DifferentialSide('Forebay', { ...node, port: node.s3Port });
      const theirs = new DifferentialSide(server, endpointOf(scene, server));
      return new DifferentialRun(ours, theirs, settingsFor(server, true), () => scene.close());
    },
  };
}

/** The root mount beside a server that keeps versions, and lets access to a bucket and its tags be set. */
function overVersions(server: ServerName): Fuzzer {
  return {
    name: `versions-${server}`,
    title: `versions and settings of buckets on the root mount beside ${server}`,
    open: async () => {
      const scene = await Scene.open([server]);
      const { node } = scene;
      const ours = new DifferentialSide('Forebay', { ...node, port: node.s3Port });
      const endpoint = endpointOf(scene, server);
      const reset = server === 'moto' ? () => resetMoto(endpoint.port) : undefined;
      const theirs = new DifferentialSide(server, endpoint, undefined, reset);
      const settings = settingsFor(server, true, knownOfVersions, true);
      return new DifferentialRun(ours, theirs, settings, () => scene.close());
    },
  };
}

/** moto cannot delete every version that it has made. */
async function resetMoto(port: number): Promise<void> {
  const { status } = await fetch(`http://127.0.0.1:${port}/moto-api/reset`, { method: 'POST' });
  if (status !== 200) throw new Error(`moto does not reset: ${status}`);
}

/** A server through an `s3://` mount beside the same server itself. */
function overMount(server: ServerName): Fuzzer {
  return {
    name: `mount-${server}`,
    title: `an s3:// mount of ${server} beside ${server} itself`,
    open: async () => {
      const scene = await Scene.open([server]);
      const { node } = scene;
      const mounted = (scene.environment(server, 'forebay').S3_BUCKETS ?? '').split(' ');
      const names = new Map(buckets.map((name, index) => [name, mounted[index] ?? '']));
      const ours = new DifferentialSide('Forebay', { ...node, port: node.s3Port }, names);
      const theirs = new DifferentialSide(server, endpointOf(scene, server));
      return new DifferentialRun(ours, theirs, settingsFor(server, false, knownOfMounts), () =>
        scene.close(),
      );
    },
  };
}

export const differentialFuzzers: readonly Fuzzer[] = [
  overRoot('moto'),
  overMount('moto'),
  overRoot('s3proxy'),
  overMount('s3proxy'),
  overVersions('moto'),
];
