import { isAccessKeyId, isSecretAccessKey } from '../auth/user-record.ts';
import {
  booleanKind,
  choiceKind,
  durationKind,
  foldersKind,
  hostKind,
  integerKind,
  isHostName,
  type Kind,
  listKind,
  pathKind,
  portKind,
  sizeKind,
  textKind,
} from './setting-kinds.ts';

/** One row: how values are written, what holds where nothing is set, and what it is for. */
export interface Setting<T, D extends T | undefined = T | undefined> {
  readonly kind: Kind<T>;
  readonly default: D;
  /** One line, for `forebay serve --help` and the documentation. */
  readonly meaning: string;
  /** Never shown. */
  readonly secret?: true;
  /** It can be changed while nodes run (`config set`). */
  readonly dynamic?: true;
}

function setting<T>(kind: Kind<T>, value: T, meaning: string): Setting<T, T> {
  return { kind, default: value, meaning };
}

/** One that can be changed while nodes run. */
function dynamic<T>(kind: Kind<T>, value: T, meaning: string): Setting<T, T> & { readonly dynamic: true } {
  return { kind, default: value, meaning, dynamic: true };
}

function optional<T>(kind: Kind<T>, meaning: string): Setting<T, undefined> {
  return { kind, default: undefined, meaning };
}

const noTexts: readonly string[] = Object.freeze([]);

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;
const TiB = 1024 * GiB;

const accessKeyIdKind = textKind('ID', isAccessKeyId, '3 to 128 letters, digits, _, . or -');
const secretKind = textKind('SECRET', isSecretAccessKey, '8 to 128 visible ASCII characters');
const regionKind = textKind(
  'NAME',
  (text) => /^[a-z0-9-]{1,64}$/.test(text),
  'a region name in small letters, such as us-east-1',
);
const clusterNameKind = textKind(
  'NAME',
  (text) => /^[a-z0-9-]{1,63}$/.test(text),
  'small letters, digits and hyphens',
);
const uriKind = textKind(
  'URI',
  (text) => /^[a-z][a-z0-9+.-]*:\/\/\S*$/.test(text),
  'a URI such as file:///srv/forebay (three slashes)',
);
const domainsKind = listKind(
  'DOMAIN,…',
  isHostName,
  'host names parted by commas, such as s3.example.com,s3.internal',
);
const endpointsKind = listKind(
  'URL,…',
  (item) => /^(https?:\/\/)?[^\s/:]+(:\d{1,5})?$/.test(item),
  'etcd endpoints parted by commas, such as http://10.0.0.1:2379',
);

const urlKind = textKind(
  'URL',
  (text) => /^https?:\/\/[^\s/]+\/?$/.test(text) && URL.canParse(text),
  'a URL such as https://s3.example.com',
);
const otherKeyIdKind = textKind(
  'ID',
  (text) => /^[\x21-\x7e]{1,256}$/.test(text),
  'visible ASCII characters',
);
const otherSecretKind = textKind(
  'SECRET',
  (text) => /^.{1,1024}$/u.test(text),
  'one line of at most 1024 characters',
);
const etcdUserKind = textKind('NAME', (text) => /^\S{1,256}$/.test(text), 'the name of a user of etcd');
const etcdPasswordKind = textKind(
  'PASSWORD',
  (text) => /^.{1,1024}$/u.test(text),
  'one line of at most 1024 characters',
);

const proxyKind = textKind(
  'URL',
  (text) => /^http:\/\/[^\s/]+\/?$/.test(text) && URL.canParse(text),
  'a URL such as http://proxy.example.com:3128',
);
const noProxyKind = listKind(
  'HOST,…',
  (item) => /^\S+$/.test(item),
  'hosts parted by commas, such as minio.internal,.example.com',
);

/**
 * Every setting there is. The key `a.bCd` is the variable `FOREBAY_A_B_CD`, the flag `--a-b-cd`, and `bCd` in the table `[a]`
 * of `forebay.toml`.
 */
export const settingsTable = {
  host: setting(hostKind, '127.0.0.1', 'Address that all ports listen on'),
  data: setting(pathKind, './data', 'Folder that everything written lies below'),
  's3.port': setting(portKind, 9000, 'Port of the S3 API'),
  'admin.port': setting(portKind, 9001, 'Port of the admin API, health and metrics'),
  'peer.port': setting(portKind, 9002, 'Port for other nodes; opened only in a cluster'),
  'peer.connectTimeout': setting(
    durationKind(10, 60_000),
    200,
    'How long a read waits for a connection to the node that owns the object before it goes to the storage',
  ),
  'peer.answerTimeout': setting(
    durationKind(10, 600_000),
    5_000,
    'How long it waits for that node to begin its answer',
  ),
  'peer.writeTimeout': setting(
    durationKind(1_000, 600_000),
    15_000,
    'How long a node is looked for that takes a change, when the one that owns the object cannot be reached',
  ),
  'route.mode': setting(
    choiceKind(['proxy', 'redirect']),
    'proxy',
    "What becomes of a client's request for an object that another node owns: handed on, or sent there (307)",
  ),
  region: setting(regionKind, 'us-east-1', 'Region that clients sign for'),
  domains: setting(domainsKind, noTexts, 'Domains whose first label may name a bucket'),
  'io.threads': optional(
    integerKind('N', 1, 256),
    'Threads that listen on the S3 port (default: 1 on up to two cores, else all but one, at most 4)',
  ),
  rootMount: optional(uriKind, 'Where buckets made over S3 lie (default: the folder root below data)'),
  rootMountEndpoint: optional(
    urlKind,
    'Of a root mount elsewhere: where its storage is asked (default: at its usual place)',
  ),
  rootMountRegion: optional(regionKind, 'Its region'),
  rootMountUser: optional(
    otherKeyIdKind,
    'Of an hdfs:// root mount: as whom HDFS is asked, where it believes that',
  ),
  rootMountPathStyle: optional(booleanKind, 'Whether its bucket stands in the path of URLs'),
  rootMountAccessKeyId: optional(otherKeyIdKind, 'The access key for it'),
  rootMountSecretAccessKey: { ...optional(otherSecretKind, 'Its secret; both or neither'), secret: true },
  'encryption.keyFile': optional(
    pathKind,
    'Key that seals stored secrets (default: secret.key below data, made at first run)',
  ),
  'root.accessKeyId': optional(accessKeyIdKind, "The root user's access key; made at first run if not set"),
  'root.secretAccessKey': { ...optional(secretKind, 'Its secret; both or neither'), secret: true },
  credentialGraceMs: setting(
    integerKind('MS', 0, 86_400_000),
    3_600_000,
    'How long known keys last while the coordination store is away',
  ),
  'tls.cert': optional(pathKind, 'Certificate chain (PEM) for both doors; read again when it changes'),
  'tls.key': optional(pathKind, 'Its private key (PEM)'),
  'log.level': dynamic(choiceKind(['debug', 'info', 'warn', 'error']), 'info', 'Least level that is logged'),
  'audit.size': setting(
    sizeKind(MiB, TiB),
    128 * MiB,
    'Disk for the audit log, below data; its oldest lines go when it is full',
  ),
  'metrics.public': dynamic(booleanKind, false, 'Serve /metrics to every address without a key'),
  'page.size': setting(sizeKind(64 * KiB, 64 * MiB, 64 * KiB), 4 * MiB, 'Size of a cached page'),
  'cache.memory': setting(sizeKind(0, TiB), 64 * MiB, 'Memory for hot pages'),
  'cache.metadata': setting(
    sizeKind(MiB, TiB),
    32 * MiB,
    'Memory for what is known of objects; as much again with several I/O threads',
  ),
  'cache.disk': setting(sizeKind(0, 1024 * TiB), 10 * GiB, 'Disk for pages, below data (0: none at all)'),
  'cache.folders': optional(
    foldersKind(MiB, 1024 * TiB),
    'Folders for pages, one a disk, instead of the one below data',
  ),
  'cache.minFree': setting(
    sizeKind(0, 1024 * TiB),
    GiB,
    'What pages leave free on the file system of their folder; of a small one at most a twentieth',
  ),
  'cache.scrub': dynamic(
    sizeKind(0, GiB),
    4 * MiB,
    'Bytes of pages on disk that are read each second to find damage (0: none)',
  ),
  'cache.readAhead': dynamic(
    integerKind('N', 0, 256),
    8,
    'Pages filled ahead of a reader that goes through an object in order, at most',
  ),
  'freshness.lease': dynamic(
    durationKind(0, 86_400_000),
    30_000,
    'How old metadata may be on mounts that do not say otherwise (file:// is always asked)',
  ),
  'limits.requests': dynamic(integerKind('N', 1, 1_000_000), 1024, 'S3 requests worked on at once'),
  'limits.connections': setting(integerKind('N', 1, 1_000_000), 10_000, 'Connections to the S3 port'),
  'limits.header': setting(sizeKind(4 * KiB, MiB), 16 * KiB, 'All header lines of a request together'),
  'limits.fills': dynamic(integerKind('N', 1, 100_000), 256, 'Pages being filled at once'),
  'limits.queuedFills': dynamic(integerKind('N', 1, 1_000_000), 1024, 'Fills that may wait for their turn'),
  'limits.fillMemory': dynamic(sizeKind(MiB, TiB), 48 * MiB, 'Memory for pages being filled'),
  'limits.passedBy': setting(
    integerKind('N', 0, 1_000_000),
    256,
    'Reads that go to the storage at once because the node that owns the object cannot be reached',
  ),
  'limits.peerMemory': setting(
    sizeKind(MiB, TiB),
    64 * MiB,
    'Memory for bytes from other nodes that nobody has taken yet; as much again for uploads that come through them',
  ),
  'limits.uploads': setting(
    integerKind('N', 1, 1_000_000),
    10_000,
    'Multipart uploads under way in the root mount, and in each file://, gs:// and hdfs:// mount',
  ),
  'limits.uploadAge': setting(
    durationKind(0, 365 * 86_400_000),
    7 * 86_400_000,
    'A multipart upload that nothing was done with for so long is removed (0s: never)',
  ),
  'writeBack.capacity': setting(
    sizeKind(MiB, 64 * TiB),
    GiB,
    'Writes that are acknowledged and that their storage does not have yet (mounts with --write-mode back), together',
  ),
  'writeBack.whenFull': setting(
    choiceKind(['through', 'slow-down']),
    'through',
    'What becomes of a write that cannot be acknowledged before its storage has it',
  ),
  'writeBack.copies': setting(
    integerKind('N', 1, 3),
    1,
    'Nodes that must have a write on disk before it is acknowledged; where there are fewer, writeBack.whenFull says what happens',
  ),
  'writeBack.delay': setting(
    durationKind(0, 3_600_000),
    0,
    'How long a write waits for a later one of its key to take its place before it goes to the storage',
  ),
  'writeBack.requests': setting(
    integerKind('N', 1, 1_000),
    16,
    'Writes that are brought to each storage at once',
  ),
  'writeBack.onConflict': setting(
    choiceKind(['keep-backend', 'overwrite']),
    'keep-backend',
    'What becomes of a pending write of an object that others changed at the storage meanwhile',
  ),
  'backend.caFile': optional(
    pathKind,
    'Certificates (PEM) that are trusted beside the usual ones when mounts reach their storage',
  ),
  'backend.proxy': {
    ...optional(proxyKind, 'HTTP proxy through which mounts reach their storage'),
    secret: true,
  },
  'backend.noProxy': setting(noProxyKind, noTexts, 'Hosts that are reached without it'),
  'backend.minBytesPerSecond': setting(
    integerKind('N', 0, 1_000_000_000),
    4_096,
    "An answer of a mount's storage that brings less over half a minute is broken off (0: none is)",
  ),
  'backend.settling': setting(
    durationKind(1_000, 3_600_000),
    30_000,
    'How long a change that a storage gave no answer to may still take effect there',
  ),
  'timeout.headers': setting(durationKind(100, 600_000), 10_000, 'For the headers of a request to arrive'),
  'timeout.idle': setting(durationKind(100, 3_600_000), 60_000, 'Without a byte either way'),
  'timeout.keepAlive': setting(durationKind(100, 3_600_000), 65_000, 'Between requests of a connection'),
  'timeout.leave': setting(
    durationKind(0, 1_500),
    1_000,
    'How long a node of a cluster goes on serving when it is to end, so that balancers can see that it is not ready',
  ),
  'timeout.shutdown': setting(durationKind(0, 4_000), 3_000, 'For requests under way when the node ends'),
  'etcd.endpoints': setting(endpointsKind, noTexts, 'etcd of the cluster this node belongs to'),
  'etcd.caFile': optional(pathKind, 'Certificates (PEM) that vouch for etcd (default: the usual ones)'),
  'etcd.cert': optional(pathKind, 'Certificate (PEM) that this node shows to etcd'),
  'etcd.key': optional(pathKind, 'Its private key (PEM)'),
  'etcd.user': optional(etcdUserKind, 'User of etcd'),
  'etcd.password': { ...optional(etcdPasswordKind, 'Its password; both or neither'), secret: true },
  'etcd.timeout': setting(durationKind(100, 60_000), 5_000, 'For an answer of etcd, all tries together'),
  'cluster.name': setting(clusterNameKind, 'forebay', "The cluster's name, the prefix of its keys in etcd"),
  'cluster.secretFile': optional(pathKind, 'File with the secret that nodes of a cluster share'),
  'ring.weight': setting(
    integerKind('PERCENT', 1, 10_000),
    100,
    'How much this node owns and caches beside the others of its cluster, such as by the size of its cache',
  ),
  'ring.handOff': setting(
    booleanKind,
    true,
    'Ask the node that kept a page before the ring changed for it, before the storage',
  ),
  'advertise.host': optional(hostKind, 'Address that other nodes reach this one at (default: host)'),
} as const satisfies Record<string, Setting<never> | Setting<unknown>>;

type Table = typeof settingsTable;
export type SettingKey = keyof Table;

type ValueOf<S> = S extends { readonly kind: Kind<infer T>; readonly default: infer D }
  ? undefined extends D
    ? T | undefined
    : T
  : never;

/** The effective settings, by key: `settings['s3.port']`. Frozen. Sizes are bytes, durations milliseconds. */
export type Settings = { readonly [K in SettingKey]: ValueOf<Table[K]> };

export const settingKeys = Object.keys(settingsTable) as readonly SettingKey[];

/** `root.accessKeyId` → `FOREBAY_ROOT_ACCESS_KEY_ID`. */
export function variableOf(key: SettingKey): string {
  return `FOREBAY_${words(key).join('_').toUpperCase()}`;
}

/** `root.accessKeyId` → `--root-access-key-id`. */
export function flagOf(key: SettingKey): string {
  return `--${words(key).join('-')}`;
}

function words(key: string): string[] {
  return key
    .split('.')
    .flatMap((part) => part.split(/(?=[A-Z])/))
    .map((word) => word.toLowerCase());
}
