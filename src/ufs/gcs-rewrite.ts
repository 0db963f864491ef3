import { UfsError } from './errors.ts';
import { type GcsConnection, jsonOf } from './gcs-connection.ts';
import { noGcsAnswer } from './gcs-errors.ts';
import { objectPath, rewritePath } from './gcs-names.ts';
import { type GcsObject, type GcsObjectToMake, objectFields } from './gcs-object.ts';
import type { GcsPlace } from './gcs-place.ts';
import { type Expected, generationMatch } from './gcs-replace.ts';
import type { StorageCall } from './storage-connection.ts';

/** A version, by the key or hidden name that it has. */
export interface GcsSource {
  readonly key: string;
  readonly generation: string;
}

interface RewriteAnswer {
  readonly done: boolean;
  readonly rewriteToken?: string;
  readonly totalBytesRewritten?: string;
  readonly resource?: GcsObject;
}

type Target = StorageCall & { readonly key: string };

/** Composed at once at most ("Composite objects"). */
export const maxComposed = 32;

/** Objects out of objects, within the storage. */
export class GcsRewriter {
  readonly #connection: GcsConnection;
  readonly #place: GcsPlace;

  constructor(connection: GcsConnection, place: GcsPlace) {
    this.#connection = connection;
    this.#place = place;
  }

  /**
   * A copy with other metadata ("Objects: rewrite"), in as many calls as the storage takes. Kinds: moved, if the source is gone;
   * precondition-failed.
   */
  async rewrite(
    call: Target,
    source: GcsSource,
    key: string,
    resource: GcsObjectToMake,
    expected: Expected,
  ): Promise<GcsObject> {
    let rewriteToken: string | undefined;
    let writtenBytes = -1;
    for (;;) {
      const request = {
        ...call,
        method: 'POST',
        path: rewritePath(this.#place, source.key, key),
        parameters: {
          // Named so, and not by a precondition: then 412 is about what is to be replaced, and 404 about the source.
          sourceGeneration: source.generation,
          ifGenerationMatch: generationMatch(expected),
          rewriteToken,
          fields: `done,rewriteToken,totalBytesRewritten,resource(${objectFields})`,
        },
        headers: { 'content-type': 'application/json; charset=UTF-8' },
        body: Buffer.from(JSON.stringify(resource)),
      } as const;
      const result = await this.#connection.change(request).catch((error) => {
        throw movedIfGone(error);
      });
      const answer = jsonOf<RewriteAnswer>(result, request, this.#place.uri, true);
      if (answer.done && answer.resource) return answer.resource;
      const now = Number(answer.totalBytesRewritten ?? -1);
      if (answer.done || !answer.rewriteToken || !(now > writtenBytes)) {
        throw noGcsAnswer(call.operation, 'an object or progress', this.#place.uri, call.key, answer.done);
      }
      writtenBytes = now;
      rewriteToken = answer.rewriteToken;
    }
  }

  /** One object out of up to 32, in order ("Objects: compose"). Kinds: moved, if a source is gone; precondition-failed. */
  async compose(
    call: Target,
    sources: readonly GcsSource[],
    key: string,
    resource: GcsObjectToMake,
    expected: Expected,
  ): Promise<GcsObject> {
    const request = {
      ...call,
      method: 'POST',
      path: `${objectPath(this.#place, key)}/compose`,
      parameters: { ifGenerationMatch: generationMatch(expected), fields: objectFields },
      headers: { 'content-type': 'application/json; charset=UTF-8' },
      body: Buffer.from(
        JSON.stringify({
          destination: resource,
          sourceObjects: sources.map((source) => ({
            name: this.#place.nameOf(source.key),
            generation: source.generation,
          })),
        }),
      ),
    } as const;
    const result = await this.#connection.change(request).catch((error) => {
      throw movedIfGone(error);
    });
    return jsonOf(result, request, this.#place.uri, true);
  }
}

/** The source was there once. */
function movedIfGone(error: unknown): unknown {
  if (!(error instanceof UfsError) || error.kind !== 'not-found') return error;
  const { message, backend, key, code, cause } = error;
  return new UfsError('moved', message, { backend, key, code, cause });
}
