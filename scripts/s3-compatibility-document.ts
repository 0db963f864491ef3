import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/common/clock.ts';
import { silentLog } from '../src/common/log.ts';
import { systemRandom } from '../src/common/random.ts';
import type { Route } from '../src/s3api/call.ts';
import { refusedOperations } from '../src/s3api/refused-operations.ts';
import { routes } from '../src/s3api/router.ts';
import { unsetOperations } from '../src/s3api/unset-operations.ts';
import type { BackendCapabilities } from '../src/ufs/backend.ts';
import { openGcsBackend } from '../src/ufs/gcs.ts';
import { openHdfsBackend } from '../src/ufs/hdfs.ts';
import { NodeFileSystem } from '../src/ufs/node-file-system.ts';
import { openRootBackend } from '../src/ufs/root.ts';
import { openS3Backend } from '../src/ufs/s3.ts';
import { unprobed } from '../src/ufs/s3-settings.ts';
import { openTreeBackend } from '../src/ufs/tree.ts';
import { capabilityMeanings, differences, neededBy, whyNot } from './s3-compatibility-words.ts';

type Capability = keyof BackendCapabilities;

/** What a kind of storage can do: always, never, or where it was seen to when the mount was added. */
type Ability = 'always' | 'probed' | 'never';
type Abilities = Readonly<Record<Capability, Ability>>;

interface Storage {
  readonly title: string;
  readonly abilities: Abilities;
  /** Whether Forebay does the work itself, or the storage behind. */
  readonly handedOn: boolean;
}

/** `docs/s3-compatibility.md`: every operation of S3 and what becomes of it, out of the operation tables and the backends themselves. */
export async function compatibilityDocument(): Promise<string> {
  const storages = await findStorages();
  const others = new Set([...unsetOperations, ...refusedOperations]);
  const offered = routes.filter((route) => !others.has(route));
  return [
    '# S3 compatibility',
    '',
    '<!-- Written by `npm run compatibility` out of the operation tables and the backends. Changes go there. -->',
    '',
    'What Forebay does with each operation of S3, by the storage that holds the bucket or prefix:',
    '',
    '- **full**: done by Forebay itself, as S3 does it.',
    '- **handed on**: done by the storage behind, whose answer is given on. Where it says _if seen_, the storage was tried when the mount',
    '  was added, and what it was not seen to do is answered with `501 NotImplemented`; `forebay mount check` tells.',
    '- **unset**: can be asked, and is answered as S3 answers where nothing is set.',
    '- **not offered**: `501 NotImplemented`, after the caller was authenticated and authorised.',
    '',
    'Settings of buckets lie with Forebay, whatever holds their objects.',
    '',
    ...operationSection('Offered', offered, storages),
    ...unsetSection(),
    ...refusedSection(),
    ...capabilitySection(storages),
    '## Where answers differ from S3’s',
    '',
    ...differences.map((line) => `- ${line}`),
    '',
  ].join('\n');
}

function operationSection(title: string, routes: readonly Route[], storages: readonly Storage[]): string[] {
  const rows = sorted(routes).map((route) => [
    route.operation,
    ...storages.map((storage) => fate(route, storage)),
  ]);
  return [`## ${title}`, '', ...table(['operation', ...storages.map(({ title: name }) => name)], rows), ''];
}

/** What becomes of an offered operation on objects that a storage holds. */
function fate(route: Route, { abilities, handedOn }: Storage): string {
  const needed = neededBy(route);
  if (needed === 'gateway') return 'full';
  const ability = needed === undefined ? 'always' : abilities[needed];
  if (ability === 'never') return `not offered: ${capabilityMeanings[needed as Capability].lacking}`;
  if (!handedOn) return 'full';
  return ability === 'probed' ? 'handed on, if seen' : 'handed on';
}

function unsetSection(): string[] {
  const rows = sorted(unsetOperations).map(({ operation }) => [operation]);
  return ['## Unset', '', ...table(['operation'], rows), ''];
}

function refusedSection(): string[] {
  const rows = sorted(refusedOperations).map((route) => [route.operation, whyNot(route)]);
  return ['## Not offered', '', ...table(['operation', 'why'], rows), ''];
}

function capabilitySection(storages: readonly Storage[]): string[] {
  const words: Readonly<Record<Ability, string>> = { always: 'yes', probed: 'if seen', never: 'no' };
  const names = Object.keys(capabilityMeanings) as Capability[];
  const rows = names.map((name) => [
    capabilityMeanings[name].means,
    ...storages.map(({ abilities }) => words[abilities[name]]),
  ]);
  const note =
    'What each kind of storage decides or keeps by itself; a request for what it does not is refused.';
  return [
    '## What storages can do',
    '',
    note,
    '',
    ...table(['ability', ...storages.map(({ title }) => title)], rows),
    '',
  ];
}

function sorted(routes: readonly Route[]): Route[] {
  return routes.toSorted((a, b) => (a.operation < b.operation ? -1 : 1));
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((text, column) =>
    Math.max(text.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)];
}

/** Asks backends that are opened over empty folders; another S3 is asked nothing for it. */
async function findStorages(): Promise<Storage[]> {
  const folder = await mkdtemp(join(tmpdir(), 'forebay-compatibility-'));
  const fs = new NodeFileSystem();
  const root = await openRootBackend(fs, systemClock, systemRandom, silentLog(), {
    path: join(folder, 'root'),
  });
  await fs.makeDirectory(join(folder, 'tree'));
  const tree = await openTreeBackend(fs, systemClock, systemRandom, { path: join(folder, 'tree') });
  const uri = 's3://bucket/';
  const credentials = { accessKeyId: 'none', secretAccessKey: 'none' };
  const s3 = (abilities: typeof unprobed) =>
    openS3Backend(systemClock, systemRandom, { uri, credentials, abilities });
  const everything = { ...unprobed, tagging: true };
  for (const name of Object.keys(unprobed) as (keyof typeof unprobed)[]) everything[name] = true as never;
  const gcs = (abilities: typeof unprobed) =>
    openGcsBackend(systemClock, systemRandom, {
      uri: 'gs://bucket/',
      credentials: { kind: 'anonymous' },
      abilities,
    });
  const hdfs = (abilities: typeof unprobed) =>
    openHdfsBackend(systemClock, systemRandom, { uri: 'hdfs://namenode/', abilities });
  // What the probe finds of a NameNode, and of nothing else more.
  const nameNode = { ...unprobed, conditionalCreate: true, conditionalCompleteCreate: true, tagging: true };
  const [able, unable] = [s3(everything), s3(unprobed)];
  const [ableGcs, unableGcs] = [gcs(everything), gcs(unprobed)];
  const [ableHdfs, unableHdfs] = [hdfs(nameNode), hdfs(unprobed)];
  try {
    return [
      { title: 'root mount', abilities: alike(root.capabilities), handedOn: false },
      { title: '`file://`', abilities: alike(tree.capabilities), handedOn: false },
      { title: '`s3://`', abilities: probed(able.capabilities, unable.capabilities), handedOn: true },
      { title: '`gs://`', abilities: probed(ableGcs.capabilities, unableGcs.capabilities), handedOn: true },
      {
        title: '`hdfs://`',
        abilities: probed(ableHdfs.capabilities, unableHdfs.capabilities),
        handedOn: false,
      },
    ];
  } finally {
    for (const backend of [root, tree, able, unable, ableGcs, unableGcs, ableHdfs, unableHdfs])
      await backend.close();
    await rm(folder, { recursive: true });
  }
}

function alike(capabilities: BackendCapabilities): Abilities {
  return probed(capabilities, capabilities);
}

function probed(most: BackendCapabilities, least: BackendCapabilities): Abilities {
  const names = Object.keys(most) as Capability[];
  const abilityOf = (name: Capability): Ability => (least[name] ? 'always' : most[name] ? 'probed' : 'never');
  return Object.fromEntries(names.map((name) => [name, abilityOf(name)])) as Abilities;
}
