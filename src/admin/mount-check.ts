import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import type { Backend, ListedObject, ProbedAbilities, ProbeOptions } from '../ufs/backend.ts';
import { UfsError, type UfsErrorKind } from '../ufs/errors.ts';
import { PlainBody } from '../ufs/plain-body.ts';
import type { ReachStep } from '../ufs/reach-step.ts';

/** One thing that was tried at a backend, and how it went, in plain words. */
export interface CheckStep {
  readonly name: 'open' | ReachStep['name'] | 'list' | 'head' | 'read' | 'write' | 'delete' | 'conditions';
  readonly result: 'ok' | 'failed' | 'skipped';
  readonly detail: string;
  readonly ms: number;
}

/** A probe makes many calls, some dozens of them one after the other; less than clients of the admin port wait for its answer. */
const probeTimeoutMs = 45_000;
const sampleBytes = 4096;
/** Keys that begin so are of no object but those that are tried with. */
const checkKeyPrefix = '.forebay-check-';

/** Thrown inside a step that has nothing to work on. */
class Skipped extends Error {}

/**
 * Tries at the storage behind a mount what serving it takes: list, metadata, reading, and unless it is read-only writing and
 * deleting an object of its own. What it wrote it deletes again.
 */
export class MountCheck {
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly timeoutMs: number;
  private readonly steps: CheckStep[] = [];

  constructor(clock: Clock, random: Random, settings: { readonly timeoutMs: number }) {
    this.clock = clock;
    this.random = random;
    this.timeoutMs = settings.timeoutMs;
  }

  /** All steps, in order; never rejects with `UfsError`. `open` gives the mount's backend. */
  async run(open: () => Promise<Backend>, readOnly: boolean): Promise<readonly CheckStep[]> {
    const backend = await this.step('open', async () => [await open(), 'the backend is there']);
    if (!backend || !(await this.reach(backend))) return this.steps;
    const sample = await this.step('list', () => this.list(backend));
    await this.step('head', () => this.head(backend, sample));
    await this.step('read', () => this.read(backend, sample));
    const key = `${checkKeyPrefix}${this.random.uuid()}`;
    const written = await this.step('write', () => this.write(backend, key, readOnly));
    const deleted = await this.step('delete', () => this.delete(backend, key, written === true));
    if (backend.probe) await this.step('conditions', () => this.conditions(backend, key, deleted === true));
    return this.steps;
  }

  /** Whether the storage was reached. */
  private async reach(backend: Backend): Promise<boolean> {
    if (!backend.reach) return true;
    let reached = true;
    let startMs = this.clock.monotonicMs();
    for await (const step of backend.reach({ signal: this.signal() })) {
      const nowMs = this.clock.monotonicMs();
      this.steps.push({ ...step, ms: Math.round(nowMs - startMs) });
      startMs = nowMs;
      if (step.result === 'failed') reached = false;
    }
    return reached;
  }

  private async step<T>(name: CheckStep['name'], work: () => Promise<[T, string]>): Promise<T | undefined> {
    const startMs = this.clock.monotonicMs();
    const note = (result: CheckStep['result'], detail: string) =>
      this.steps.push({ name, result, detail, ms: Math.round(this.clock.monotonicMs() - startMs) });
    try {
      const [value, detail] = await work();
      note('ok', detail);
      return value;
    } catch (error) {
      if (error instanceof Skipped) note('skipped', error.message);
      else if (error instanceof UfsError) note('failed', explain(error));
      else throw error;
      return undefined;
    }
  }

  private async list(backend: Backend): Promise<[ListedObject | 'empty', string]> {
    const { entries, truncated } = await backend.list({ prefix: '', limit: 100, signal: this.signal() });
    const first = entries.find((entry) => entry.kind === 'object' && entry.sizeBytes > 0);
    const count = truncated ? `more than ${entries.length}` : String(entries.length);
    return [first?.kind === 'object' ? first : 'empty', `${count} objects`];
  }

  private async head(backend: Backend, sample: ListedObject | 'empty' | undefined): Promise<[true, string]> {
    const { key } = needSample(sample);
    const meta = await backend.head(key, { signal: this.signal() });
    return [true, `${key} has ${meta.sizeBytes} bytes`];
  }

  private async read(backend: Backend, sample: ListedObject | 'empty' | undefined): Promise<[true, string]> {
    const { key } = needSample(sample);
    const signal = this.signal();
    const meta = await backend.head(key, { signal });
    const end = Math.min(meta.sizeBytes, sampleBytes);
    let received = 0;
    if (end > 0) {
      for await (const chunk of backend.read(key, meta, { start: 0, end }, { signal }))
        received += chunk.length;
    }
    return [true, `${received} bytes of ${key}`];
  }

  private async write(backend: Backend, key: string, readOnly: boolean): Promise<[true, string]> {
    if (readOnly) throw new Skipped('the mount is read-only');
    const bytes = Buffer.from('written by forebay mount check');
    const body = PlainBody.of(bytes);
    await backend.put(key, body, { headers: {}, userMetadata: {}, signal: this.signal() });
    return [true, `${key}, ${bytes.length} bytes`];
  }

  private async delete(backend: Backend, key: string, written: boolean): Promise<[true, string]> {
    if (!written) throw new Skipped('nothing was written');
    await backend.delete(key, { signal: this.signal() });
    return [true, key];
  }

  private async conditions(backend: Backend, key: string, writable: boolean): Promise<[true, string]> {
    if (!backend.probe || !writable) throw new Skipped('nothing could be written and deleted');
    const found = await backend.probe(key, probeOptions(this.timeoutMs));
    const same =
      conditionNames.every(([name]) => found[name] === backend.capabilities[name]) &&
      (found.metadataOnGet ?? true) === (backend.open !== undefined) &&
      (found.tagging ?? false) === backend.capabilities.tagging &&
      (found.versions ?? false) === backend.capabilities.versions;
    const advice = same
      ? ''
      : '; this is not what the mount was added with: remove it and add it again to use what is there now';
    return [true, describeAbilities(found) + advice];
  }

  private signal(): AbortSignal {
    return AbortSignal.timeout(this.timeoutMs);
  }
}

/**
 * The storage's abilities, once it was reached, listed and, unless it is read-only, written to. `timeoutMs` is for each call.
 * Kinds: any of the backend's.
 */
export async function tryStorage(
  random: Random,
  backend: Backend,
  readOnly: boolean,
  timeoutMs: number,
): Promise<ProbedAbilities | undefined> {
  if (backend.reach) {
    for await (const { name, result, detail } of backend.reach({ signal: AbortSignal.timeout(timeoutMs) })) {
      if (result === 'failed')
        throw new UfsError('unavailable', `${name}: ${detail}`, { backend: backend.uri });
    }
  }
  await backend.list({ prefix: '', limit: 1, signal: AbortSignal.timeout(timeoutMs) });
  if (readOnly || !backend.probe) return undefined;
  return backend.probe(`${checkKeyPrefix}${random.uuid()}`, probeOptions(timeoutMs));
}

function probeOptions(callTimeoutMs: number): ProbeOptions {
  return { callTimeoutMs, signal: AbortSignal.timeout(probeTimeoutMs) };
}

const conditionNames = [
  ['conditionalCreate', 'put with If-None-Match'],
  ['conditionalPut', 'put with If-Match'],
  ['conditionalCompleteCreate', 'complete multipart upload with If-None-Match'],
  ['conditionalComplete', 'complete multipart upload with If-Match'],
  ['conditionalCopy', 'copy'],
  ['conditionalDelete', 'delete'],
] as const;

function describeAbilities(found: ProbedAbilities): string {
  const named = (wanted: boolean) =>
    conditionNames.flatMap(([name, words]) => (found[name] === wanted ? [words] : [])).join(', ');
  const able = named(true);
  const unable = named(false);
  return [
    able && `the storage decides the conditions of ${able}`,
    unable &&
      `conditions of ${unable} are answered with NotImplemented, for the storage does not decide them`,
    found.tagging === false && 'the storage does not keep tags, which are answered with NotImplemented',
    found.metadataOnGet === false &&
      'GET does not tell of an object what HEAD tells, so that the first read of each object costs both',
  ]
    .filter(Boolean)
    .join('; ');
}

function needSample(sample: ListedObject | 'empty' | undefined): ListedObject {
  if (sample === undefined) throw new Skipped('nothing could be listed');
  if (sample === 'empty') throw new Skipped('there is no object with a body among the first');
  return sample;
}

const meanings: Partial<Readonly<Record<UfsErrorKind, string>>> = {
  'not-found': 'it does not exist',
  denied: "the storage refuses the mount's credentials or rights",
  'read-only': 'the storage can only be read',
  refused: 'the storage refuses this',
  'no-space': 'the storage is full',
  unavailable: 'the storage cannot be reached',
  timeout: 'the storage did not answer in time',
  cancelled: 'the storage did not answer in time',
  throttled: 'the storage asks for fewer requests',
  'not-implemented': 'this version cannot do that',
};

/** What it means for whoever mounted it. */
export function explain(error: UfsError): string {
  const meaning = meanings[error.kind];
  return meaning === undefined ? error.message : `${meaning}: ${error.message}`;
}
