/** A body, or how it is made where it is long. */
export type StepBody = string | { readonly of: string; readonly bytes: number };

/**
 * One request of a sequence, in a form that can be printed and read back. Texts may hold `«what:id»`: what the answer to step `id` told,
 * on the side that is asked (`upload`: its id, `etag`, `version`: its id); `none-such` where that step has told no such thing.
 */
export interface Step {
  readonly id: number;
  /** S3's name of it. */
  readonly operation: string;
  readonly method: string;
  readonly bucket?: string;
  readonly key?: string;
  readonly query?: readonly (readonly [name: string, value: string])[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: StepBody;
}

export type Told = 'upload' | 'etag' | 'version';

export function told(what: Told, id: number): string {
  return `«${what}:${id}»`;
}

export function bodyBytes(body: StepBody | undefined): Buffer {
  if (body === undefined) return Buffer.alloc(0);
  if (typeof body === 'string') return Buffer.from(body);
  return Buffer.alloc(body.bytes, body.of);
}

/** Steps without their ids, where they are drawn. */
export type Drawn = Omit<Step, 'id'>;
