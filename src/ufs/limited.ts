import type { Clock } from '../common/clock.ts';
import type { UploadBody } from '../common/object-meta.ts';
import type { Backend, CallOptions, OpenedObject } from './backend.ts';
import type { BackendVersions } from './backend-versions.ts';
import { ByteRate } from './byte-rate.ts';
import { AdaptiveLimit, type Permit } from './limit.ts';

/** How much a mount may ask of its storage, from all nodes together. Absent: as much as the backend itself finds right. */
export interface MountLimits {
  /** Calls under way at once. */
  readonly maxRequests?: number;
  /** Of objects' bytes, both ways together. */
  readonly maxBytesPerSecond?: number;
}

/** Callers that wait for their turn, and how long; more are refused with `throttled`. */
const waiting = { maxQueued: 1_000, maxWaitMs: 15_000 };

/** Which of how many nodes this is, at this moment: they share what a mount may ask. */
export type NodePlace = () => { readonly place: number; readonly count: number };

const alone: NodePlace = () => ({ place: 0, count: 1 });

/**
 * A backend within this node's share of the limits; the backend itself where there are none. Probes and the way to the storage are not
 * held up. The shares of all nodes add up to the limit; of fewer calls than there are nodes, each node has one all the same.
 */
export function limitedBackend(
  clock: Clock,
  inner: Backend,
  limits: MountLimits,
  node: NodePlace = alone,
): Backend {
  const { maxRequests, maxBytesPerSecond } = limits;
  if (maxRequests === undefined && maxBytesPerSecond === undefined) return inner;
  return limitedBy(new Gate(clock, inner.uri, limits, node), inner);
}

/** The node's part of a number of calls; the first ones have one more where they cannot be shared evenly. */
export function shareOf(total: number, { place, count }: ReturnType<NodePlace>): number {
  return Math.max(1, Math.floor(total / count) + (place < total % count ? 1 : 0));
}

/** Whom calls and bytes pass. */
class Gate {
  readonly #limit: AdaptiveLimit | undefined;
  readonly #rate: ByteRate | undefined;

  constructor(
    clock: Clock,
    backend: string,
    { maxRequests, maxBytesPerSecond }: MountLimits,
    node: NodePlace,
  ) {
    if (maxRequests !== undefined) {
      const share = () => shareOf(maxRequests, node());
      const count = { initial: maxRequests, minimum: maxRequests, maximum: maxRequests, share };
      // A reader that waits for its own client makes room: a copy through this process reads and writes at once.
      const lending = { idleMs: 100, maxLent: maxRequests, cutIntervalMs: 0 };
      this.#limit = new AdaptiveLimit(clock, { backend, ...count, ...waiting, ...lending });
    }
    if (maxBytesPerSecond !== undefined)
      this.#rate = new ByteRate(clock, backend, () => maxBytesPerSecond / node().count);
  }

  async call<Result>(options: CallOptions | undefined, work: () => Promise<Result>): Promise<Result> {
    const permit = await this.#limit?.acquire(options?.signal);
    try {
      return await work();
    } finally {
      permit?.release();
    }
  }

  /** A call that takes a body. */
  async upload<Result>(
    options: CallOptions | undefined,
    body: UploadBody,
    work: (body: UploadBody) => Promise<Result>,
  ): Promise<Result> {
    const permit = await this.#limit?.acquire(options?.signal);
    try {
      return await work(this.#bodyOf(body, permit, options));
    } finally {
      permit?.release();
    }
  }

  async *read(
    options: CallOptions | undefined,
    work: () => AsyncIterable<Buffer>,
  ): AsyncGenerator<Buffer, void, undefined> {
    const permit = await this.#limit?.acquire(options?.signal);
    try {
      yield* this.#given(work(), permit, options);
    } finally {
      permit?.release();
    }
  }

  /** Holds a permit until what was opened is closed, or read to its end. */
  async open(options: CallOptions | undefined, work: () => Promise<OpenedObject>): Promise<OpenedObject> {
    const permit = await this.#limit?.acquire(options?.signal);
    try {
      const opened = await work();
      permit?.pause();
      return {
        ...opened,
        read: (range, how) => {
          permit?.resume();
          return this.#given(opened.read(range, how), permit, how);
        },
        close: () => {
          opened.close();
          permit?.release();
        },
      };
    } catch (error) {
      permit?.release();
      throw error;
    }
  }

  /** Between two pieces it is the reader's turn. */
  async *#given(
    pieces: AsyncIterable<Buffer>,
    permit: Permit | undefined,
    options: CallOptions | undefined,
  ): AsyncGenerator<Buffer, void, undefined> {
    for await (const piece of pieces) {
      permit?.pause();
      yield piece;
      await this.#rate?.pass(piece.length, options?.signal);
      permit?.resume();
    }
  }

  /** Before each piece it is the client's turn. */
  async *#taken(
    body: UploadBody,
    permit: Permit | undefined,
    options: CallOptions | undefined,
  ): AsyncGenerator<Buffer, void, undefined> {
    permit?.pause();
    for await (const piece of body) {
      permit?.resume();
      yield piece;
      await this.#rate?.pass(piece.length, options?.signal);
      permit?.pause();
    }
    permit?.resume();
  }

  #bodyOf(body: UploadBody, permit: Permit | undefined, options: CallOptions | undefined): UploadBody {
    const taken = () => this.#taken(body, permit, options);
    return {
      sizeBytes: body.sizeBytes,
      announcedChecksum: body.announcedChecksum,
      need: (name) => body.need(name),
      digest: (name) => body.digest(name),
      sentChecksums: () => body.sentChecksums(),
      [Symbol.asyncIterator]: () => taken()[Symbol.asyncIterator](),
    };
  }
}

function limitedBy(gate: Gate, inner: Backend): Backend {
  const { open, pin, findPart, listObjectParts, getTags, amend, probe, reach, fence, versions } = inner;
  return {
    uri: inner.uri,
    capabilities: inner.capabilities,
    head: (key, options) => gate.call(options, () => inner.head(key, options)),
    read: (key, meta, range, options) => gate.read(options, () => inner.read(key, meta, range, options)),
    put: (key, body, options) => gate.upload(options, body, (paced) => inner.put(key, paced, options)),
    delete: (key, options) => gate.call(options, () => inner.delete(key, options)),
    list: (options) => gate.call(options, () => inner.list(options)),
    copy: (from, key, options) => gate.call(options, () => inner.copy(from, key, options)),
    createUpload: (key, options) => gate.call(options, () => inner.createUpload(key, options)),
    putPart: (key, id, number, body, options) =>
      gate.upload(options, body, (paced) => inner.putPart(key, id, number, paced, options)),
    listParts: (key, id, options) => gate.call(options, () => inner.listParts(key, id, options)),
    completeUpload: (key, id, parts, options) =>
      gate.call(options, () => inner.completeUpload(key, id, parts, options)),
    abortUpload: (key, id, options) => gate.call(options, () => inner.abortUpload(key, id, options)),
    listUploads: (options) => gate.call(options, () => inner.listUploads(options)),
    close: () => inner.close(),
    ...(open && {
      open: (key, range, options) => gate.open(options, () => open.call(inner, key, range, options)),
    }),
    ...(pin && { pin: pin.bind(inner) }),
    ...(findPart && {
      findPart: (key, meta, number, options) =>
        gate.call(options, () => findPart.call(inner, key, meta, number, options)),
    }),
    ...(listObjectParts && {
      listObjectParts: (key, meta, options) =>
        gate.call(options, () => listObjectParts.call(inner, key, meta, options)),
    }),
    ...(getTags && {
      getTags: (key, options) => gate.call(options, () => getTags.call(inner, key, options)),
    }),
    ...(amend && {
      amend: (key, change, options) => gate.call(options, () => amend.call(inner, key, change, options)),
    }),
    ...(versions && { versions: limitedVersions(gate, versions) }),
    ...(probe && { probe: probe.bind(inner) }),
    ...(reach && { reach: reach.bind(inner) }),
    // Who waits for it holds back others.
    ...(fence && { fence: fence.bind(inner) }),
  };
}

function limitedVersions(gate: Gate, versions: BackendVersions): BackendVersions {
  const { mode } = versions;
  return {
    head: (key, id, options) => gate.call(options, () => versions.head(key, id, options)),
    delete: (key, id, options) => gate.call(options, () => versions.delete(key, id, options)),
    list: (options) => gate.call(options, () => versions.list(options)),
    ...(mode && { mode: (options) => gate.call(options, () => mode.call(versions, options)) }),
  };
}
