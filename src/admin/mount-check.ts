import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import type { Backend, ListedObject } from '../ufs/backend.ts';
import { UfsError, type UfsErrorKind } from '../ufs/errors.ts';
import { PlainBody } from '../ufs/plain-body.ts';

/** One thing that was tried at a backend, and how it went, in plain words. */
export interface CheckStep {
  readonly name: 'open' | 'list' | 'head' | 'read' | 'write' | 'delete';
  readonly result: 'ok' | 'failed' | 'skipped';
  readonly detail: string;
  readonly ms: number;
}

const sampleBytes = 4096;

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
    if (!backend) return this.steps;
    const sample = await this.step('list', () => this.list(backend));
    await this.step('head', () => this.head(backend, sample));
    await this.step('read', () => this.read(backend, sample));
    const key = `.forebay-check-${this.random.uuid()}`;
    const written = await this.step('write', () => this.write(backend, key, readOnly));
    await this.step('delete', () => this.delete(backend, key, written === true));
    return this.steps;
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
    const body = new PlainBody(once(bytes), bytes.length);
    await backend.put(key, body, { headers: {}, userMetadata: {}, signal: this.signal() });
    return [true, `${key}, ${bytes.length} bytes`];
  }

  private async delete(backend: Backend, key: string, written: boolean): Promise<[true, string]> {
    if (!written) throw new Skipped('nothing was written');
    await backend.delete(key, { signal: this.signal() });
    return [true, key];
  }

  private signal(): AbortSignal {
    return AbortSignal.timeout(this.timeoutMs);
  }
}

function needSample(sample: ListedObject | 'empty' | undefined): ListedObject {
  if (sample === undefined) throw new Skipped('nothing could be listed');
  if (sample === 'empty') throw new Skipped('there is no object with a body among the first');
  return sample;
}

async function* once(bytes: Buffer): AsyncIterable<Buffer> {
  yield bytes;
}

const meanings: Partial<Readonly<Record<UfsErrorKind, string>>> = {
  'not-found': 'it does not exist',
  denied: "the storage refuses the mount's credentials or rights",
  'read-only': 'the storage can only be read',
  'no-space': 'the storage is full',
  unavailable: 'the storage cannot be reached',
  timeout: 'the storage did not answer in time',
  cancelled: 'the storage did not answer in time',
  throttled: 'the storage asks for fewer requests',
  'not-implemented': 'this version cannot do that',
};

function explain(error: UfsError): string {
  const meaning = meanings[error.kind];
  return meaning === undefined ? error.message : `${meaning}: ${error.message}`;
}
