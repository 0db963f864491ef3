import type { Draws } from '../../fuzz/lib/draws.ts';
import type { Client, ClientRequest, Outcome } from '../campaign/client.ts';
import { etagOf, headerOf, problemOf } from '../campaign/client.ts';
import { contentBytes, md5, namedContents } from '../campaign/content.ts';
import type { ChangeKind, LogLine, OperationLog, VersionNumber } from './operation-log.ts';
import { bucket } from './pending-world.ts';

const partBytes = 5 * 1024 * 1024;
/** An answer that does not come is given up after so long (`Client`), while the node may be at it still. */
const givenUp = /^nothing for /;

/** What clients share. */
export interface Shared {
  nextVersion(): VersionNumber;
  /** What is wrong by itself. */
  complain(what: string): void;
  /** An answer that was none of those that were hoped for. */
  refused(what: string): void;
  /** A change was answered. */
  acknowledged(kind: ChangeKind): void;
  operations: number;
}

interface Known {
  readonly version: VersionNumber;
  readonly sizeBytes: number;
  readonly isUpload: boolean;
}

/** Changes and reads keys of its own, one operation after the other, and writes down what it asked for and what it was told. */
export class PendingClient {
  readonly keys: readonly string[];
  private readonly prefix: string;
  private readonly client: Client;
  private readonly draws: Draws;
  private readonly log: OperationLog;
  private readonly shared: Shared;
  /** Versions that this client made, by number. */
  private readonly made = new Map<VersionNumber, Known>();
  private readonly versionOfEtag = new Map<string, VersionNumber>();
  private wasThere = true;
  private readonly times = new Map<VersionNumber, string>();

  constructor(
    name: string,
    keyCount: number,
    client: Client,
    draws: Draws,
    log: OperationLog,
    shared: Shared,
  ) {
    this.prefix = `${name}/`;
    this.keys = Array.from({ length: keyCount }, (_, index) => `${this.prefix}k${index}`);
    this.client = client;
    this.draws = draws;
    this.log = log;
    this.shared = shared;
  }

  /** One operation. False if the node was not there. */
  async act(): Promise<boolean> {
    const { draws, shared } = this;
    const key = draws.pick(this.keys);
    shared.operations += 1;
    this.wasThere = true;
    const what = draws.next();
    if (what < 0.46)
      await this.put(key, 'put', draws.chance(0.12) ? 66_000 + draws.below(400_000) : draws.below(9_000));
    else if (what < 0.54) await this.put(key, 'create', draws.below(3_000));
    else if (what < 0.66) await this.delete(key);
    else if (what < 0.7) await this.multipart(key);
    else if (what < 0.93) await this.read(key);
    else await this.list();
    return this.wasThere;
  }

  /** The version that an answer shows, undefined for an answer that says nothing. Complains of what belongs to none. */
  versionOf(key: string, by: string, outcome: Outcome): VersionNumber | undefined {
    if (outcome.kind !== 'answer') return undefined;
    const { answer } = outcome;
    if (answer.status === 404) return 0;
    if (answer.status !== 200) {
      this.shared.refused(`GET ${problemOf(answer)}`);
      return undefined;
    }
    const version = Number(headerOf(answer, 'x-amz-meta-id'));
    const known = this.made.get(version);
    const etag = etagOf(headerOf(answer, 'etag')) ?? '';
    const words = `${key} by ${by}, version ${version}`;
    if (!known) this.shared.complain(`${words} was never written here`);
    else if (!answer.body.equals(contentBytes(`c${version}`, known.sizeBytes)))
      this.shared.complain(
        `${words} has ${answer.body.length} bytes of ${namedContents(answer.body).join(' and ') || 'nothing'}`,
      );
    if (this.versionOfEtag.get(etag) !== version)
      this.shared.complain(`${words} has the ETag ${etag} of another one`);
    return version;
  }

  private async put(key: string, kind: 'put' | 'create', sizeBytes: number): Promise<void> {
    const change = this.shared.nextVersion();
    const bytes = contentBytes(`c${change}`, sizeBytes);
    this.made.set(change, { version: change, sizeBytes, isUpload: false });
    this.versionOfEtag.set(md5(bytes), change);
    await this.changed(key, kind, change, sizeBytes, () =>
      this.send({
        method: 'PUT',
        path: `/${bucket}/${key}`,
        headers: {
          'x-amz-meta-id': String(change),
          ...(kind === 'create' ? { 'If-None-Match': '*' } : {}),
        },
        body: bytes,
      }),
    );
  }

  private async delete(key: string): Promise<void> {
    const change = this.shared.nextVersion();
    await this.changed(key, 'delete', change, 0, () =>
      this.send({ method: 'DELETE', path: `/${bucket}/${key}` }),
    );
  }

  /** Two parts; where one of them is refused there is no Complete, and no change. */
  private async multipart(key: string): Promise<void> {
    const change = this.shared.nextVersion();
    const path = `/${bucket}/${key}`;
    const sizeBytes = partBytes + this.draws.below(50_000);
    const bytes = contentBytes(`c${change}`, sizeBytes);
    this.made.set(change, { version: change, sizeBytes, isUpload: true });
    const begun = await this.send({
      method: 'POST',
      path,
      query: [['uploads', '']],
      headers: { 'x-amz-meta-id': String(change) },
    });
    const uploadId = textOf(begun, 'UploadId');
    if (uploadId === undefined) return this.refuse('CreateMultipartUpload', begun);
    const etags: string[] = [];
    const parts = [bytes.subarray(0, partBytes), bytes.subarray(partBytes)].filter(
      ({ length }) => length > 0,
    );
    for (const [index, body] of parts.entries()) {
      const outcome = await this.send({
        method: 'PUT',
        path,
        query: [
          ['partNumber', String(index + 1)],
          ['uploadId', uploadId],
        ],
        body,
      });
      const etag = outcome.kind === 'answer' ? etagOf(headerOf(outcome.answer, 'etag')) : undefined;
      if (etag === undefined) return this.refuse('UploadPart', outcome);
      if (etag !== md5(body))
        this.shared.complain(`part ${index + 1} of version ${change} has the ETag ${etag}`);
      etags.push(etag);
    }
    const digests = Buffer.concat(etags.map((etag) => Buffer.from(etag, 'hex')));
    this.versionOfEtag.set(`${md5(digests)}-${etags.length}`, change);
    const named = etags.map(
      (etag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>"${etag}"</ETag></Part>`,
    );
    await this.changed(key, 'multipart', change, sizeBytes, () =>
      this.send({
        method: 'POST',
        path,
        query: [['uploadId', uploadId]],
        body: `<CompleteMultipartUpload>${named.join('')}</CompleteMultipartUpload>`,
      }),
    );
  }

  private async send(request: ClientRequest): Promise<Outcome> {
    const outcome = await this.client.send(request);
    if (outcome.kind === 'refused') this.wasThere = false;
    return outcome;
  }

  private refuse(what: string, outcome: Outcome): void {
    this.shared.refused(`${what} ${outcome.kind === 'answer' ? problemOf(outcome.answer) : outcome.kind}`);
  }

  /** A change, with what is to be known of it on disk before it is asked for, and after it was answered. */
  private async changed(
    key: string,
    kind: ChangeKind,
    change: VersionNumber,
    sizeBytes: number,
    send: () => Promise<Outcome>,
  ): Promise<void> {
    await this.log.write({ at: 'begin', change, key, kind, sizeBytes });
    const outcome = await send();
    const end = this.endOf(kind, change, outcome);
    if (end.effect === 'done') this.shared.acknowledged(kind);
    else this.refuse(kind, outcome);
    const isOther = end.etag !== undefined && this.versionOfEtag.get(end.etag) !== change;
    if (isOther)
      this.shared.complain(`version ${change} of ${key} was acknowledged with the ETag ${end.etag}`);
    await this.log.write(end);
  }

  private endOf(kind: ChangeKind, change: VersionNumber, outcome: Outcome): LogLine & { at: 'end' } {
    const about = { at: 'end', change } as const;
    if (outcome.kind === 'refused') return { ...about, effect: 'none' };
    if (outcome.kind === 'lost')
      return { ...about, effect: givenUp.test(outcome.reason) ? 'forever' : 'open' };
    if (outcome.kind === 'cut') return { ...about, effect: 'open' };
    const { answer } = outcome;
    if (answer.status === 200 || answer.status === 204) {
      if (answer.body.includes('<Error>')) return { ...about, effect: 'open' };
      const etag = kind === 'multipart' ? textOf(outcome, 'ETag') : headerOf(answer, 'etag');
      return { ...about, effect: 'done', etag: etagOf(etag) };
    }
    if (answer.status === 412 && kind === 'create') return { ...about, effect: 'none', wasPresent: true };
    if (answer.status >= 500) {
      return { ...about, effect: headerOf(answer, 'x-forebay-effect') === 'none' ? 'none' : 'open' };
    }
    const said = problemOf(answer);
    // A conditional PUT that met another one; a body that came while the node was ending.
    if (answer.status !== 409 && !said.includes('RequestTimeout') && !said.includes('IncompleteBody'))
      this.shared.complain(`${kind} of version ${change} answered ${said}`);
    return { ...about, effect: answer.status === 409 ? 'none' : 'open' };
  }

  private async read(key: string): Promise<void> {
    const outcome = await this.send({ method: 'GET', path: `/${bucket}/${key}` });
    const version = this.versionOf(key, 'the node', outcome);
    if (version === undefined) return;
    await this.log.write({ at: 'seen', key, version, by: 'GET' });
    if (outcome.kind !== 'answer' || version === 0) return;
    if (headerOf(outcome.answer, 'x-amz-meta-forebay-stamp') !== undefined)
      this.shared.complain(`${key}, version ${version}, shows its stamp`);
    const time = headerOf(outcome.answer, 'last-modified') ?? '';
    const before = this.times.get(version) ?? time;
    if (time !== before)
      this.shared.complain(`${key}, version ${version}, was of ${before} and is of ${time}`);
    this.times.set(version, time);
  }

  private async list(): Promise<void> {
    const outcome = await this.send({
      method: 'GET',
      path: `/${bucket}`,
      query: [
        ['list-type', '2'],
        ['prefix', this.prefix],
        ['max-keys', '1000'],
      ],
    });
    if (outcome.kind !== 'answer') return;
    if (outcome.answer.status !== 200) return this.refuse('LIST', outcome);
    const listed = etagsIn(outcome.answer.body.toString(), '');
    for (const key of this.keys) {
      const version = this.listedVersion(key, listed);
      await this.log.write({ at: 'seen', key, version, by: 'LIST' });
    }
  }

  /** The version that a list tells of. */
  listedVersion(key: string, listed: ReadonlyMap<string, string>): VersionNumber {
    const etag = listed.get(key);
    if (etag === undefined) return 0;
    const version = this.versionOfEtag.get(etag);
    if (version === undefined) this.shared.complain(`${key} is listed with the ETag ${etag} of nothing`);
    return version ?? -1;
  }
}

/** ETags without quotes by key, of one page of a list; keys without what stands before them all. */
export function etagsIn(xml: string, before: string): Map<string, string> {
  const found = [...xml.matchAll(/<Contents>(.*?)<\/Contents>/gs)].map(([, text = '']) => {
    const key = /<Key>(.*?)<\/Key>/s.exec(text)?.[1] ?? '';
    const etag = etagOf(/<ETag>(.*?)<\/ETag>/s.exec(text)?.[1]) ?? '';
    return [key.slice(before.length), etag] as const;
  });
  return new Map(found);
}

function textOf(outcome: Outcome, name: string): string | undefined {
  if (outcome.kind !== 'answer' || outcome.answer.status !== 200) return undefined;
  return new RegExp(`<${name}>(.*?)</${name}>`, 's').exec(outcome.answer.body.toString())?.[1];
}
