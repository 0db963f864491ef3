import type { Clock } from '../../common/clock.ts';
import { CoordError } from '../../coord/store.ts';
import type { ViewMember } from '../../ring/ownership.ts';
import { S3Error } from '../../s3api/errors.ts';
import type { ObjectRef } from '../../s3api/names.ts';
import type { ObjectService } from '../../s3api/service.ts';
import { mayOthersKeep } from '../../worker/metadata-entries.ts';
import type { Namespace, Place } from '../namespace.ts';
import { MovedError, noEffect } from './owned-metadata.ts';
import type { Routes } from './routes.ts';
import type { WriteCall, WriteInputs, WriteParts } from './write-calls.ts';
import { perform, type Write } from './write-calls.ts';
import type { WriteOutcome, WriteQuestions } from './write-questions.ts';

export interface RoutedWritesSettings {
  /** How long an owner is looked for that takes a change, all tries together, ms. */
  readonly patienceMs: number;
  /** How long a view is waited for that another node goes by already, ms. */
  readonly catchUpMs: number;
}

/** Nodes that are asked to pass a change on to an owner which this node cannot reach. */
const maxRelays = 2;
const pauseMs = 20;

/** A change and where it goes. */
interface Change {
  readonly call: WriteCall;
  readonly ref: ObjectRef & { readonly versionId?: string };
  readonly input: WriteInputs[WriteCall];
  readonly parts: WriteParts;
}

/**
 * Brings each change to the node that owns the object, and to no other: itself, through a node between, or, if it is out of reach, to its
 * successor in a view without it. What may have had an effect is not tried again; what surely had none and
 * cannot be placed is answered so.
 */
export class RoutedWrites {
  readonly #clock: Clock;
  readonly #routes: Routes;
  readonly #namespace: Namespace;
  readonly #local: ObjectService;
  readonly #questions: WriteQuestions;
  readonly #settings: RoutedWritesSettings;

  constructor(
    clock: Clock,
    routes: Routes,
    namespace: Namespace,
    local: ObjectService,
    questions: WriteQuestions,
    settings: RoutedWritesSettings,
  ) {
    this.#clock = clock;
    this.#routes = routes;
    this.#namespace = namespace;
    this.#local = local;
    this.#questions = questions;
    this.#settings = settings;
  }

  async run(
    call: WriteCall,
    ref: Change['ref'],
    input: WriteInputs[WriteCall],
    parts: WriteParts = {},
  ): Promise<unknown> {
    const change: Change = { call, ref, input, parts };
    const untilMs = this.#clock.monotonicMs() + this.#settings.patienceMs;
    for (;;) {
      const place = await this.#placeOf(ref);
      const owner = place && this.#routes.metadataOwner(place);
      const outcome = owner ? await this.#send(owner, place, change) : await this.#here(change);
      if (outcome.kind === 'done') return outcome.result;
      if (this.#clock.monotonicMs() >= untilMs) throw new MovedError();
      if (outcome.kind === 'moved') await this.#catchUp(outcome);
      else if (owner && !(await this.#withoutOwner(owner, place, outcome))) return this.#performHere(change);
    }
  }

  /** Undefined where there is no such bucket: the call itself says so, as on one node. */
  async #placeOf({ bucket, key }: ObjectRef): Promise<Place | undefined> {
    try {
      return await this.#namespace.locateForWrite(bucket, key);
    } catch {
      return undefined;
    }
  }

  async #here(change: Change): Promise<WriteOutcome> {
    try {
      return { kind: 'done', result: await this.#performHere(change) };
    } catch (error) {
      if (!(error instanceof MovedError)) throw error;
      return { kind: 'moved', view: this.#routes.ownership.view() };
    }
  }

  #performHere({ call, ref, input, parts }: Change): Promise<unknown> {
    const { bucket, key, versionId } = ref;
    return perform(this.#local, { call, input, bucket, key, versionId }, parts);
  }

  async #send(owner: ViewMember, place: Place, change: Change): Promise<WriteOutcome> {
    const write = this.#written(place, change);
    const outcome = await this.#questions.send(owner, write, change.parts);
    if (outcome.kind !== 'unreachable') return outcome;
    if (outcome.cause.kind === 'overloaded') throw new S3Error('SlowDown', { headers: noEffect });
    if (outcome.cause.kind === 'cancelled') throw new S3Error('RequestTimeout', { cause: outcome.cause });
    for (const relay of this.#relaysTo(owner)) {
      const relayed = await this.#questions.send(relay, { ...write, relayTo: owner.workerId }, change.parts);
      if (relayed.kind !== 'unreachable') return relayed;
    }
    return outcome;
  }

  /** Others than the owner, beginning behind this node, so that not all ask the same ones. */
  #relaysTo(owner: ViewMember): ViewMember[] {
    const { ownership } = this.#routes;
    const { members } = ownership.view();
    const own = members.findIndex(({ workerId }) => workerId === ownership.workerId);
    const others = [...members.slice(own + 1), ...members.slice(0, Math.max(0, own))];
    return others.filter(({ workerId }) => workerId !== owner.workerId).slice(0, maxRelays);
  }

  #written(place: Place, { call, ref, input, parts }: Change): Omit<Write, 'sentMs'> {
    const { generation, epoch } = this.#routes.ownership.view();
    const { incarnation, versioning } = place;
    const { sizeBytes, announcedChecksum } = parts.body ?? {};
    return {
      op: 'write',
      view: { generation, epoch },
      hops: 1,
      bucket: ref.bucket,
      key: ref.key,
      versionId: ref.versionId,
      incarnation,
      versioning,
      call,
      input,
      body: sizeBytes === undefined ? undefined : { sizeBytes, announcedChecksum },
    };
  }

  /** Another node goes by another view, or knows another bucket: whichever is behind catches up. */
  async #catchUp({
    view,
  }: {
    readonly view: { readonly generation: number; readonly epoch: number };
  }): Promise<void> {
    const signal = AbortSignal.timeout(this.#settings.catchUpMs);
    try {
      await this.#routes.ownership.whenApplied(view, signal);
      await this.#clock.sleep(pauseMs, signal);
    } catch {
      // The next try goes by what is known here all the same, and is refused if that is too little.
    }
  }

  /**
   * The owner cannot be reached, nor through others: a view without it is made, by which somebody else is the owner. False if there is
   * none to be had, and none is needed, since what nobody keeps may be changed from anywhere.
   */
  async #withoutOwner(
    owner: ViewMember,
    place: Place,
    { cause }: { readonly cause: unknown },
  ): Promise<boolean> {
    try {
      await this.#routes.ownership.suspect(owner.workerId, AbortSignal.timeout(this.#settings.patienceMs));
      return true;
    } catch (error) {
      if (!mayOthersKeep(place)) return false;
      const why = error instanceof CoordError ? error : cause;
      const message = 'The node that owns the object cannot be reached. Please try again.';
      throw new S3Error('ServiceUnavailable', { message, headers: noEffect, cause: why });
    }
  }
}
