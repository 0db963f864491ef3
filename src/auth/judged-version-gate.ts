import type { ObjectMeta } from '../common/object-meta.ts';
import { S3Error } from '../s3api/errors.ts';
import type { ReadGate } from '../s3api/service.ts';
import type { OperationGate } from './object-gate.ts';

/**
 * Lets the one version through whose tags were judged: another may have taken its place before it is read, open or closed by tags of its
 * own. SlowDown, so that the client asks again.
 */
export class JudgedVersionGate implements OperationGate {
  readonly #inner: ReadGate | undefined;
  readonly #generation: string | undefined;
  #asked = false;

  /** `inner` decides the rest. `generation` is undefined where there was no object. */
  constructor(inner: ReadGate | undefined, generation: string | undefined) {
    this.#inner = inner;
    this.#generation = generation;
  }

  get wasAsked(): boolean {
    return this.#asked;
  }

  admit(meta: Pick<ObjectMeta, 'access' | 'generation'>): void {
    this.#asked = true;
    if (meta.generation !== this.#generation) {
      throw new S3Error('SlowDown', { message: 'The object was replaced meanwhile. Please try again.' });
    }
    this.#inner?.admit(meta);
  }

  admitWithoutAcl(): void {
    this.#inner?.admitWithoutAcl();
  }

  absent(error: S3Error): S3Error {
    this.#asked = true;
    return this.#inner?.absent(error) ?? error;
  }
}
