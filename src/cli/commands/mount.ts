import type { Command, Invocation } from '../command.ts';
import { CommandError } from '../errors.ts';
import {
  credentialsOptions,
  readCredentialsOption,
  readSecretOption,
  secretOptions,
} from '../secret-option.ts';
import { columns } from '../text.ts';
import { callAdmin, show } from './shared.ts';

interface Mount {
  readonly name: string;
  readonly uri: string;
  readonly readOnly: boolean;
  readonly writeMode: string;
  readonly freshness: string;
  readonly owner: string;
}
interface Lost {
  readonly lostEntries?: number;
  readonly lostBytes?: number;
}
interface Check {
  readonly ok: boolean;
  readonly steps: readonly {
    readonly name: string;
    readonly result: string;
    readonly detail: string;
    readonly ms: number;
  }[];
}

const copiesOption = {
  flag: '--copies',
  placeholder: 'N',
  meaning: 'Nodes that must have a write on disk before it is acknowledged (write mode back)',
};

/** `forebay mount …` */
export const mountCommands: readonly Command[] = [
  {
    words: ['mount', 'add'],
    arguments: ['BUCKET[/PREFIX]', 'URI'],
    options: [
      {
        flag: '--endpoint',
        placeholder: 'URL',
        meaning:
          'Where the storage is, if not at its usual place; several NameNodes parted by commas (hdfs://)',
      },
      { flag: '--region', placeholder: 'NAME', meaning: 'Region of the storage' },
      { flag: '--access-key-id', placeholder: 'ID', meaning: 'Access key for the storage' },
      ...secretOptions,
      ...credentialsOptions,
      {
        flag: '--user',
        placeholder: 'NAME',
        meaning: 'As whom HDFS is asked, where it believes that (hdfs://)',
      },
      {
        flag: '--path-style',
        meaning: 'The bucket goes into the path, not into the host name (default with --endpoint)',
      },
      { flag: '--virtual-host', meaning: 'The bucket goes into the host name, also with --endpoint' },
      { flag: '--read-only', meaning: 'Nothing is written there' },
      {
        flag: '--write-mode',
        placeholder: 'through|back|around',
        meaning: 'How writes go (default: through)',
      },
      copiesOption,
      {
        flag: '--freshness',
        placeholder: 'always|lease:30s|immutable',
        meaning: 'How old metadata may be (default: always for file://)',
      },
      {
        flag: '--max-requests',
        placeholder: 'N',
        meaning: 'Requests to the storage at once, from each node (default: as many as it bears)',
      },
      {
        flag: '--max-bytes-per-second',
        placeholder: 'SIZE',
        meaning: 'Bytes of objects a second, both ways together, from each node (default: no bound)',
      },
      { flag: '--owner', placeholder: 'NAME', meaning: "The bucket's owner (default: the root user)" },
    ],
    summary: 'Mount storage as a bucket, or inside one; effective at once',
    run: async (invocation) => {
      const { options } = invocation;
      const mount = await callAdmin<Mount>(invocation, 'POST', '/v1/mounts', {
        target: invocation.arguments['BUCKET[/PREFIX]'],
        uri: invocation.arguments.URI,
        endpoint: options.get('--endpoint'),
        region: options.get('--region'),
        accessKeyId: options.get('--access-key-id'),
        secretAccessKey: await readSecretOption(invocation),
        credentials: await readCredentialsOption(invocation),
        anonymous: options.has('--anonymous') || undefined,
        user: options.get('--user'),
        pathStyle: pathStyleOf(invocation),
        readOnly: options.has('--read-only') || undefined,
        writeMode: options.get('--write-mode'),
        copies: options.get('--copies'),
        freshness: options.get('--freshness'),
        maxRequests: options.get('--max-requests'),
        maxBytesPerSecond: options.get('--max-bytes-per-second'),
        owner: options.get('--owner'),
      });
      show(invocation, mount, [`mounted ${mount.uri} at ${mount.name}`]);
      return 0;
    },
  },
  {
    words: ['mount', 'list'],
    arguments: [],
    options: [],
    summary: 'List mounts',
    run: async (invocation) => {
      const { mounts } = await callAdmin<{ mounts: Mount[] }>(invocation, 'GET', '/v1/mounts');
      const rows = mounts.map((mount) => [
        mount.name,
        mount.uri,
        mount.readOnly ? 'read-only' : mount.writeMode,
        mount.freshness,
        mount.owner,
      ]);
      show(invocation, mounts, columns([['MOUNT', 'URI', 'WRITES', 'FRESHNESS', 'OWNER'], ...rows]));
      return 0;
    },
  },
  {
    words: ['mount', 'show'],
    arguments: ['BUCKET[/PREFIX]'],
    options: [],
    summary: 'Show one mount',
    run: async (invocation) => {
      const mount = await callAdmin<Mount>(invocation, 'GET', mountPath(invocation));
      show(invocation, mount, columns(Object.entries(mount).map(([name, value]) => [name, String(value)])));
      return 0;
    },
  },
  {
    words: ['mount', 'remove'],
    arguments: ['BUCKET[/PREFIX]'],
    options: [
      {
        flag: '--force',
        meaning: 'Also if writes are pending for it, which are lost then (write mode back)',
      },
    ],
    summary: 'Remove a mount; the storage behind it is left as it is',
    run: async (invocation) => {
      const path = mountPath(invocation);
      const lost = invocation.options.has('--force')
        ? await callAdmin<Lost>(invocation, 'POST', `${path}/remove-by-force`)
        : await callAdmin<Lost>(invocation, 'DELETE', path);
      const name = invocation.arguments['BUCKET[/PREFIX]'];
      show(invocation, { removed: name, ...lost }, [
        `removed the mount ${name}`,
        ...(lost.lostEntries ? [`lost ${lost.lostEntries} pending writes with ${lost.lostBytes} bytes`] : []),
      ]);
      return 0;
    },
  },
  {
    words: ['mount', 'set-write-mode'],
    arguments: ['BUCKET[/PREFIX]', 'through|back|around'],
    options: [copiesOption],
    summary: 'Change how writes go, from the next one on',
    run: async (invocation) => {
      const writeMode = invocation.arguments['through|back|around'];
      const path = `${mountPath(invocation)}/write-mode`;
      const mount = await callAdmin<Pick<Mount, 'name' | 'writeMode'>>(invocation, 'POST', path, {
        writeMode,
        copies: invocation.options.get('--copies'),
      });
      show(invocation, mount, [`writes to ${mount.name} go ${mount.writeMode} from now on`]);
      return 0;
    },
  },
  {
    words: ['mount', 'check'],
    arguments: ['BUCKET[/PREFIX]'],
    options: [],
    summary: 'Try at the storage behind a mount what serving it takes',
    run: async (invocation) => {
      const check = await callAdmin<Check>(invocation, 'POST', `${mountPath(invocation)}/check`);
      const rows = check.steps.map((step) => [step.name, step.result, `${step.ms} ms`, step.detail]);
      show(invocation, check, columns(rows));
      return check.ok ? 0 : 1;
    },
  },
];

function mountPath(invocation: Invocation): string {
  return `/v1/mounts/${encodeURIComponent(invocation.arguments['BUCKET[/PREFIX]'] ?? '')}`;
}

/** Undefined where the storage's place decides. */
function pathStyleOf({ options }: Invocation): boolean | undefined {
  const virtual = options.has('--virtual-host');
  if (virtual && options.has('--path-style')) {
    throw new CommandError('--path-style and --virtual-host mean the opposite: give one of them');
  }
  if (virtual) return false;
  return options.has('--path-style') || undefined;
}
