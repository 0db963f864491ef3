import type { ObjectMeta } from '../../common/object-meta.ts';
import { PeerError } from '../../peers/errors.ts';
import type { ViewMember } from '../../ring/ownership.ts';
import { UfsError } from '../../ufs/errors.ts';
import {
  type CheckStill,
  type FoundMeta,
  type KnownMeta,
  type LookUpOptions,
  type MetadataSource,
  type MetadataTarget,
  WorkerError,
} from '../../worker/reader.ts';
import type { Fallbacks } from './fallbacks.ts';
import type { HandOff } from './hand-off.ts';
import type { OwnedMetadata } from './owned-metadata.ts';
import type { PeerQuestions } from './peer-questions.ts';
import type { Routes } from './routes.ts';

/** Bytes that came along would not be in whole pages. */
const alone = { read: undefined, together: undefined };

/**
 * Metadata, of whichever node owns it. One that cannot be reached in time is passed by: then the node is asked that would own it without
 * that one, which asks the storage once for all who come to it; and the storage itself where that one cannot be reached either.
 */
export class RoutedMetadata implements MetadataSource {
  readonly #routes: Routes;
  readonly #owned: OwnedMetadata;
  readonly #questions: PeerQuestions;
  readonly #fallbacks: Fallbacks;
  readonly #handOff: HandOff;

  constructor(
    routes: Routes,
    owned: OwnedMetadata,
    questions: PeerQuestions,
    fallbacks: Fallbacks,
    handOff: HandOff,
  ) {
    this.#routes = routes;
    this.#owned = owned;
    this.#questions = questions;
    this.#fallbacks = fallbacks;
    this.#handOff = handOff;
  }

  peek(
    target: MetadataTarget,
    options?: Pick<LookUpOptions, 'maxAgeMs' | 'checksums'>,
  ): KnownMeta | undefined {
    return this.#owned.peek(target, options);
  }

  async get(target: MetadataTarget, options: LookUpOptions = {}): Promise<FoundMeta> {
    const owner = this.#routes.metadataOwner(target);
    if (!owner) return this.#owned.get(target, await this.#handOff.withoutBytes(target, options));
    try {
      return await this.#questions.lookUp(owner, target, options);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      if (error.kind === 'cancelled') throw cancelled(target, error);
      return this.#passBy(owner, target, options);
    }
  }

  write<T extends ObjectMeta | undefined | 'unknown'>(
    target: MetadataTarget,
    change: (checkStill: CheckStill) => Promise<T>,
  ): Promise<T> {
    return this.#owned.write(target, change);
  }

  /** Another node's is asked for anew by whoever found that it had moved. */
  invalidate(target: MetadataTarget): void {
    this.#owned.invalidate(target);
  }

  async #passBy(owner: ViewMember, target: MetadataTarget, options: LookUpOptions): Promise<FoundMeta> {
    if (options.onlyIfCached)
      throw new WorkerError('not-cached', 'the node that may know its metadata cannot be reached');
    const next = this.#routes.metadataOwner(target, new Set([owner.workerId]));
    if (next) {
      try {
        const found = await this.#questions.lookUp(next, target, options, [owner.workerId]);
        return { ...found, owner: owner.workerId };
      } catch (error) {
        if (!(error instanceof PeerError)) throw error;
        if (error.kind === 'cancelled') throw cancelled(target, error);
      }
    }
    const found = await this.#fallbacks.run(() =>
      this.#owned.validated(target, { ...options, signal: options.signal, ...alone }),
    );
    return { ...found, owner: owner.workerId };
  }
}

function cancelled(target: MetadataTarget, cause: unknown): UfsError {
  const { backend, path } = target;
  return new UfsError('cancelled', 'the question was given up', { backend: backend.uri, key: path, cause });
}
