import { type Answer, type Endpoint, S3Side } from '../lib/s3-side.ts';
import { allAt, readXml, textAt } from '../lib/xml-tree.ts';
import { type NormalAnswer, normalAnswer } from './normal-answer.ts';
import { bodyBytes, type Step, type Told } from './step.ts';

const placeholder = /«(upload|etag|version):(\d+)»/g;

/** One of the two servers that go through a sequence, and what it has told so far. */
export class DifferentialSide {
  readonly name: string;
  readonly #side: S3Side;
  /** Makes the server forget everything, where it can. */
  readonly #reset: (() => Promise<void>) | undefined;
  /** What the buckets of sequences are called there. */
  readonly #buckets: ReadonlyMap<string, string>;
  readonly #told = new Map<string, string>();
  /** Texts of this server, and what stands for them when answers are compared. */
  readonly #names = new Map<string, string>();

  constructor(
    name: string,
    endpoint: Endpoint,
    buckets: ReadonlyMap<string, string> = new Map(),
    reset?: () => Promise<void>,
  ) {
    this.name = name;
    this.#reset = reset;
    this.#side = new S3Side(endpoint);
    this.#buckets = buckets;
  }

  close(): void {
    this.#side.close();
  }

  /** Forgets the sequence before. */
  begin(): void {
    this.#told.clear();
    this.#names.clear();
    for (const [shown, real] of this.#buckets) this.#names.set(real, shown);
  }

  async perform(step: Step): Promise<NormalAnswer> {
    const answer = await this.#send(step);
    this.#remember(step, answer);
    return normalAnswer(step, answer, this.#names);
  }

  /**
   * Takes everything out of the buckets of sequences, and makes those that are to be there; with `anew` these are made again, without what
   * was set of them.
   */
  async clear(kept: readonly string[], extra: readonly string[], anew: boolean): Promise<void> {
    if (anew && this.#reset) await this.#reset();
    else await this.#empty([...kept, ...extra], anew);
    if (!anew) for (const bucket of extra) await this.#plain('DELETE', bucket);
    for (const bucket of kept) {
      const { status } = await this.#plain('HEAD', bucket);
      if (status === 200) continue;
      const made = await this.#plain('PUT', bucket);
      if (made.status !== 200) throw new Error(`${this.name} does not make ${bucket}: ${made.status}`);
    }
  }

  async #empty(buckets: readonly string[], anew: boolean): Promise<void> {
    for (const bucket of buckets) {
      if (anew) await this.#plain('DELETE', bucket, undefined, [['policy', '']]);
      await this.#clearBucket(bucket);
      if (anew) await this.#clearVersions(bucket);
    }
    if (anew) for (const bucket of buckets) await this.#plain('DELETE', bucket);
  }

  async #clearBucket(bucket: string): Promise<void> {
    const uploads = await this.#plain('GET', bucket, undefined, [['uploads', '']]);
    if (uploads.status === 404) return;
    for (const upload of allAt(rootOf(uploads, 'ListMultipartUploadsResult'), 'Upload')) {
      const query = [['uploadId', textAt(upload, 'UploadId') ?? '']] as const;
      await this.#plain('DELETE', bucket, textAt(upload, 'Key'), query);
    }
    const list = await this.#plain('GET', bucket, undefined, [['encoding-type', 'url']]);
    for (const content of allAt(rootOf(list, 'ListBucketResult'), 'Contents')) {
      const key = decodeURIComponent((textAt(content, 'Key') ?? '').replaceAll('+', ' '));
      const { status } = await this.#plain('DELETE', bucket, key);
      if (status !== 204) throw new Error(`${this.name} does not delete ${bucket}/${key}: ${status}`);
    }
  }

  async #clearVersions(bucket: string): Promise<void> {
    // Not encoded: moto says that it encodes these names, and does not.
    const answer = await this.#plain('GET', bucket, undefined, [['versions', '']]);
    const list = rootOf(answer, 'ListVersionsResult');
    for (const entry of [...allAt(list, 'Version'), ...allAt(list, 'DeleteMarker')]) {
      const key = textAt(entry, 'Key') ?? '';
      const versionId = textAt(entry, 'VersionId') ?? 'null';
      const { status } = await this.#plain('DELETE', bucket, key, [['versionId', versionId]]);
      if (status !== 204)
        throw new Error(`${this.name} does not delete a version of ${bucket}/${key}: ${status}`);
    }
  }

  #plain(method: string, bucket: string, key?: string, query: Step['query'] = []): Promise<Answer> {
    return this.#send({ id: 0, operation: '', method, bucket, key, query });
  }

  #send(step: Step): Promise<Answer> {
    const bucket = step.bucket === undefined ? '' : (this.#buckets.get(step.bucket) ?? step.bucket);
    const path = `/${bucket}${step.key === undefined ? '' : `/${step.key}`}`;
    const body = typeof step.body === 'string' ? Buffer.from(this.#filled(step.body)) : bodyBytes(step.body);
    const headers = Object.entries(step.headers ?? {}).map(([name, value]) => [
      name,
      this.#filled(name === 'x-amz-copy-source' ? this.#realSource(value) : value),
    ]);
    const query = (step.query ?? []).map(([name, value]) => [name, this.#filled(value)] as const);
    return this.#side.send({ method: step.method, path, query, headers: Object.fromEntries(headers), body });
  }

  #filled(text: string): string {
    return text.replace(
      placeholder,
      (_, what: string, id: string) => this.#told.get(`${what}:${id}`) ?? 'none-such',
    );
  }

  #realSource(source: string): string {
    return source.replace(/^(\/?)([^/]+)/, (_, slash: string, bucket: string) => {
      return slash + (this.#buckets.get(bucket) ?? bucket);
    });
  }

  #remember(step: Step, answer: Answer): void {
    if (answer.status >= 300) return;
    const note = (what: Told, value: string | undefined): void => {
      if (value !== undefined) this.#told.set(`${what}:${step.id}`, value);
    };
    note('etag', answer.headers.etag);
    this.#noteVersion(step, answer);
    if (step.method === 'GET' || step.method === 'HEAD' || answer.body.length === 0) return;
    const xml = readXml(answer.body.toString('utf8'));
    for (const root of ['CopyObjectResult', 'CopyPartResult', 'CompleteMultipartUploadResult']) {
      note('etag', textAt(xml, root, 'ETag'));
    }
    for (const deleted of allAt(rootOf(answer, 'DeleteResult'), 'Deleted')) {
      const marker = textAt(deleted, 'DeleteMarkerVersionId');
      if (marker !== undefined) this.#names.set(marker, `marker ${step.id} of ${textAt(deleted, 'Key')}`);
    }
    const upload = textAt(xml, 'InitiateMultipartUploadResult', 'UploadId');
    note('upload', upload);
    if (upload !== undefined) this.#names.set(upload, `upload ${step.id}`);
  }

  /** A write tells the id of what it made, which stands for the same on every side. */
  #noteVersion({ id, method }: Step, { headers }: Answer): void {
    const versionId = headers['x-amz-version-id'];
    if (versionId === undefined || method === 'GET' || method === 'HEAD') return;
    if (!this.#told.has(`version:${id}`)) this.#told.set(`version:${id}`, versionId);
    if (versionId !== 'null' && !this.#names.has(versionId)) this.#names.set(versionId, `version ${id}`);
  }
}

function rootOf(answer: Answer, name: string) {
  const root = readXml(answer.body.toString('utf8'));
  return root === undefined || typeof root === 'string'
    ? undefined
    : root.find(([other]) => other === name)?.[1];
}
