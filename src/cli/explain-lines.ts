import type { NodeTold, ObjectExplanation } from '../gateway/object-explainer.ts';
import type { HeldPages, ObjectTold, Version } from '../gateway/object-teller.ts';
import type { EvictionReason } from '../worker/eviction-log.ts';
import type { Cell, Paint } from './paint.ts';
import { keptWords, optionName } from './policy-words.ts';
import { roundBytes, roundSeconds } from './quantities.ts';

/** A line of a description: what it is about, and what there is to say. */
export type Fact = readonly [what: string, said: Cell];

const mapCells = 64;
const reasons: Readonly<Record<EvictionReason, string>> = {
  room: 'to make room for what is used more',
  removed: 'because the object was changed or deleted, or somebody had it forgotten',
  damaged: 'because they could not be read',
  quota: 'for others of the same quota',
  policy: 'because a policy has them kept no longer',
};

/** Lines of `what  said`, below a headline. */
export function factLines(headline: string, facts: readonly Fact[], paint: Paint): string[] {
  const width = Math.max(...facts.map(([what]) => what.length));
  return [
    paint.cell([headline, 'bold']),
    ...facts.map(([what, said]) => `  ${paint.cell([what.padEnd(width), 'dim'])}  ${paint.cell(said)}`),
  ];
}

/** Why an object is served as it is. */
export function objectFacts(found: ObjectExplanation): Fact[] {
  const silent = found.nodes.flatMap(({ workerId, silence }): Fact[] =>
    silence === undefined ? [] : [['silent', [`${short(workerId)} does not answer: ${silence}`, 'bad']]],
  );
  return [
    ['mount', found.mount ?? 'none: the root mount holds it'],
    ['storage', `${found.storage}, key ${found.path}`],
    ['writes', found.readOnly ? 'none: the mount is read-only' : writesOf(found.writeMode)],
    ['freshness', freshnessOf(found)],
    ...policyOf(found),
    ['owner', ownerOf(found)],
    ...placementOf(found),
    ['version', versionOf(found)],
    ...found.nodes.flatMap((node) => knownOf(node, found)),
    ...storageOf(found),
    ...pagesOf(found),
    ...found.nodes.flatMap((node) => evictedOf(node, found.nowMs)),
    ...found.nodes.flatMap((node) => pendingOf(node, found.nowMs)),
    ...silent,
  ];
}

function short(workerId: string): string {
  return workerId.slice(0, 8);
}

function writesOf(mode: string): string {
  if (mode === 'back') return 'back: acknowledged from the journal, brought to the storage afterwards';
  if (mode === 'around') return 'around: to the storage, and kept here when they are read';
  return 'through: acknowledged when the storage has them';
}

function freshnessOf({ freshness, isExclusive, policy }: ObjectExplanation): string {
  if (isExclusive)
    return 'nobody else changes that storage: what is known of it is used until it changes here';
  const from = policy.fields.find(({ name }) => name === 'freshness')?.from;
  const rule = from === undefined || from === 'mount' ? freshness : `${freshness}, set for ${from}`;
  if (freshness === 'always') return `${rule}: each read asks the storage whether it has changed`;
  if (freshness === 'immutable') return `${rule}: what is known of it is used until it changes here`;
  return `${rule}: what is known of it is used for that long, then the storage is asked`;
}

/** Whether its pages are kept, and what was set that decides about them; freshness, which is about what is known, is told by itself. */
function policyOf({ policy: { kept, fields } }: ObjectExplanation): Fact[] {
  const set = fields.filter(({ name, from }) => name !== 'freshness' && from !== 'default');
  const said: Cell = kept === 'never' ? [keptWords[kept], 'warn'] : keptWords[kept];
  return [
    ['kept', set.length === 0 ? `${keptWords[kept]}: no policy says otherwise` : said],
    ...set.map(({ name, value, from }): Fact => ['policy', `${optionName(name)} ${value}, set for ${from}`]),
  ];
}

function ownerOf({ owner, view, nodes }: ObjectExplanation): Cell {
  if (!view) return 'this node, which belongs to no cluster';
  if (owner === undefined) return ['nobody: the cluster has no node that may own it', 'bad'];
  const told = nodes.find(({ workerId }) => workerId === owner)?.told;
  const waits = told && !told.mayUse ? '; it waits for a lease, or for who owned it before' : '';
  return `${owner}, by its place on the ring of view ${view.epoch}, generation ${view.generation}${waits}`;
}

/** Where pages of the later segments lie elsewhere than those of the first. */
function placementOf({ placement, owner, segmentBytes, view }: ObjectExplanation): Fact[] {
  if (!view || placement.every(({ workerId }) => workerId === owner)) return [];
  const parts = placement.map(
    ({ segment, workerId }) => `${segment}: ${workerId ? short(workerId) : 'nobody'}`,
  );
  return [['segments', `of ${roundBytes(segmentBytes)}, with their pages at ${parts.join(', ')}`]];
}

function versionOf({ version }: ObjectExplanation): string {
  return version ? versionWords(version) : 'none is known';
}

function versionWords({ etag, sizeBytes, lastModifiedMs, versionId }: Version): string {
  const id = versionId === undefined ? '' : `, version id ${versionId}`;
  return `ETag "${etag}", ${sizeBytes} bytes, changed ${new Date(lastModifiedMs).toISOString()}${id}`;
}

function knownOf({ workerId, told }: NodeTold, found: ObjectExplanation): Fact[] {
  if (!told) return [];
  const isOwner = workerId === found.owner;
  const at = found.view ? `at ${short(workerId)}${isOwner ? ', its owner' : ''}: ` : '';
  if (!told.known) return isOwner ? [['known', `${at}nothing: the next read asks the storage`]] : [];
  const { known } = told;
  const age = roundSeconds((found.nowMs - known.validatedMs) / 1_000);
  const what = known.version ? '' : 'that there is no such object, ';
  const differs =
    known.version && found.version && known.version.generation !== found.version.generation
      ? `, another version (${versionWords(known.version)})`
      : '';
  const use = !isOwner
    ? 'which is not used: it is not its owner'
    : known.isYoung && told.mayUse
      ? 'which is used without asking'
      : 'which is too old: the next read asks the storage';
  return [['known', `${at}${what}validated ${age} ago${differs}, ${use}`]];
}

function storageOf({ storageSays, nodes, owner }: ObjectExplanation): Fact[] {
  if (!storageSays) return [['storage now', ['not asked: give --check', 'dim']]];
  const { version, fault } = storageSays;
  if (fault !== undefined) return [['storage now', [fault, 'bad']]];
  if (!version) return [['storage now', ['there is no such object', 'warn']]];
  const known = nodes.find(({ workerId }) => workerId === owner)?.told?.known?.version;
  if (known && known.generation !== version.generation) {
    return [['storage now', [`another version than its owner knows: ${versionWords(version)}`, 'warn']]];
  }
  return [['storage now', [`has it: ${versionWords(version)}`, 'good']]];
}

function pagesOf({ nodes, version, view, storageSays }: ObjectExplanation): Fact[] {
  if (!version) {
    const holders = nodes.filter(({ told }) => told?.holdsSome);
    if (holders.length === 0) return [['pages', 'none']];
    const where = view ? ` at ${holders.map(({ workerId }) => short(workerId)).join(', ')}` : '';
    const which = storageSays
      ? 'of a version that is no more'
      : 'give --check to see which and of which version';
    return [['pages', `some${where}: ${which}`]];
  }
  const facts = nodes.flatMap(({ workerId, told }): Fact[] => {
    if (!told?.held || told.held.pages === 0) return [];
    return told.held.inMemory + told.held.onDisk === 0 && !told.holdsSome
      ? []
      : [['pages', `${view ? `at ${short(workerId)}: ` : ''}${heldWords(told, told.held)}`]];
  });
  return facts.length === 0 ? [['pages', 'none']] : facts;
}

function heldWords({ holdsSome }: ObjectTold, held: HeldPages): string {
  const { pages, looked, inMemory, onDisk, pageSizeBytes } = held;
  const count = inMemory + onDisk;
  if (count === 0) return holdsSome ? 'of other versions only' : 'none';
  const part = looked < pages ? ` (the first ${looked} were looked for)` : '';
  return `${count} of ${pages} of ${roundBytes(pageSizeBytes)}${part}, ${inMemory} in memory, ${onDisk} on disk only  [${mapOf(held)}]`;
}

/** A sign for each page, or for as many as go into one: `#` all are there, `+` some, `.` none. */
export function mapOf({ looked, runs }: HeldPages): string {
  const cells = Math.min(looked, mapCells);
  return Array.from({ length: cells }, (_, cell) => {
    const first = Math.floor((cell * looked) / cells);
    const end = Math.floor(((cell + 1) * looked) / cells);
    const there = runs.reduce(
      (sum, [from, to]) => sum + Math.max(0, Math.min(to, end) - Math.max(from, first)),
      0,
    );
    return there === end - first ? '#' : there > 0 ? '+' : '.';
  }).join('');
}

function evictedOf({ workerId, told }: NodeTold, nowMs: number): Fact[] {
  if (!told?.evicted) return [];
  const { atMs, reason, pages } = told.evicted;
  const ago = roundSeconds((nowMs - atMs) / 1_000);
  const count = pages === 1 ? '1 page' : `${pages} pages`;
  return [['evicted', `${short(workerId)} gave up ${count}, the last one ${ago} ago ${reasons[reason]}`]];
}

function pendingOf({ told }: NodeTold, nowMs: number): Fact[] {
  if (!told?.pending) return [];
  const { type, atMs, sizeBytes, lastError } = told.pending;
  const size = sizeBytes === undefined ? '' : ` of ${roundBytes(sizeBytes)}`;
  const error = lastError === undefined ? '' : `; the last attempt failed: ${lastError}`;
  const ago = roundSeconds((nowMs - atMs) / 1_000);
  const text = `a ${type}${size} was acknowledged ${ago} ago and is not at the storage yet${error}`;
  return [['pending', [text, lastError === undefined ? 'warn' : 'bad']]];
}
