import type { Availability } from './availability.ts';
import { type ClientRequest, etagOf, type Outcome, problemOf } from './client.ts';
import { compositeEtag, md5 } from './content.ts';
import { type Door, watchDoor } from './door.ts';
import type { Record, Version } from './record.ts';
import { type Demand, demandHeaders, type WriteFinding, writeAnswer } from './write-answer.ts';

/** Changes objects through doors, and writes down what came of it. */
export class Writes {
  private readonly record: Record;
  private readonly availability: Availability;

  constructor(record: Record, availability: Availability) {
    this.record = record;
    this.availability = availability;
  }

  async put(door: Door, key: string, sizeBytes: number, demand?: Demand, overMs = 0): Promise<void> {
    const content = this.record.newContent(sizeBytes);
    const body = this.record.bytesOf(content);
    const version = this.record.newVersion(key, content, md5(body));
    const headers = { 'X-Amz-Meta-Id': version.id, ...demandHeaders(demand) };
    const plain = { method: 'PUT', path: door.base + key, headers, body, overMs };
    await this.change(door, `PUT ${version.id}`, key, demand, plain, version);
  }

  /** One part, since what an upload leaves is one version however many there were. */
  async upload(door: Door, others: Door, key: string, sizeBytes: number, demand?: Demand): Promise<void> {
    const content = this.record.newContent(sizeBytes);
    const body = this.record.bytesOf(content);
    const version = this.record.newVersion(key, content, compositeEtag([body]));
    this.record.know(content, md5(body));
    const path = door.base + key;
    const headers = { 'X-Amz-Meta-Id': version.id };
    const doorTally = this.watch(door, `upload of ${key}`);
    const created = await door.client.send({ method: 'POST', path, query: [['uploads', '']], headers });
    const uploadId = textOf(created, 'UploadId');
    doorTally(stepProblem(created, uploadId !== undefined));
    if (uploadId === undefined) return;
    const query = [['uploadId', uploadId]] as const;
    const part = [['partNumber', '1'], ...query] as const;
    const othersTally = this.watch(others, `part of ${key}`);
    const sent = await others.client.send({ method: 'PUT', path: others.base + key, query: part, body });
    const isSent = sent.kind === 'answer' && sent.answer.status === 200;
    othersTally(stepProblem(sent, isSent));
    if (!isSent) return;
    const list = `<Part><PartNumber>1</PartNumber><ETag>"${md5(body)}"</ETag></Part>`;
    const plain: ClientRequest = {
      method: 'POST',
      path,
      query,
      headers: demandHeaders(demand),
      body: `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`,
    };
    await this.change(door, `COMPLETE ${version.id}`, key, demand, plain, version);
  }

  async copy(door: Door, source: string, key: string): Promise<void> {
    const version = this.record.newVersion(key);
    const plain: ClientRequest = {
      method: 'PUT',
      path: door.base + key,
      headers: {
        'X-Amz-Copy-Source': door.base + source,
        'X-Amz-Metadata-Directive': 'REPLACE',
        'X-Amz-Meta-Id': version.id,
      },
    };
    const label = `COPY ${version.id} from ${source}`;
    const startMs = this.record.nowMs();
    const tally = this.watch(door, `${label} to ${key}`);
    const outcome = await door.client.send(plain);
    const endMs = this.record.nowMs();
    if (
      outcome.kind === 'answer' &&
      outcome.answer.status === 404 &&
      outcome.answer.body.includes('NoSuchKey')
    ) {
      tally();
      this.record.add(source, {
        startMs,
        endMs,
        sight: { kind: 'absent' },
        label: `${label} through ${door.name}: absent`,
      });
      return;
    }
    const finding = writeAnswer(this.record, `${label} to ${key}`, undefined, outcome);
    const etag = finding.effect === 'done' ? etagOf(textOf(outcome, 'ETag')) : undefined;
    if (etag !== undefined) this.learnCopy(label, source, version, etag, startMs, endMs);
    tally(finding.problem);
    this.note(door, key, label, version, finding, startMs, endMs);
  }

  private learnCopy(
    label: string,
    source: string,
    version: Version,
    etag: string,
    startMs: number,
    endMs: number,
  ): void {
    const content = this.record.contentOf(etag);
    if (!content) {
      this.record.complain(`${label} answered an ETag that nobody wrote, ${etag}`);
      return;
    }
    this.record.learn(version, content, etag);
    if (this.record.mayBeOfCopyAlone(etag)) return;
    this.record.add(source, {
      startMs,
      endMs,
      sight: { kind: 'etag', etag },
      label: `${label}: ${content.id}`,
    });
  }

  async remove(door: Door, key: string, demand?: Demand): Promise<void> {
    const plain = { method: 'DELETE', path: door.base + key, headers: demandHeaders(demand) };
    await this.change(door, 'DELETE', key, demand, plain);
  }

  private async change(
    door: Door,
    label: string,
    key: string,
    demand: Demand | undefined,
    plain: ClientRequest,
    version?: Version,
  ): Promise<void> {
    const startMs = this.record.nowMs();
    const tally = this.watch(door, `${label} of ${key}`);
    const outcome = await door.client.send(plain);
    const endMs = this.record.nowMs();
    const finding = writeAnswer(this.record, `${label} of ${key}`, demand, outcome);
    if (door.node) tally(finding.problem);
    this.note(door, key, label, version, finding, startMs, endMs, demand);
  }

  private note(
    door: Door,
    key: string,
    label: string,
    version: Version | undefined,
    { effect, sight, said }: WriteFinding,
    startMs: number,
    endMs: number,
    demand?: Demand,
  ): void {
    const condition = demand ? ` if ${demand.kind === 'absent' ? 'absent' : demand.etag}` : '';
    const about = {
      startMs,
      label: `${label}${condition} through ${door.name}: ${said}`,
      isOutside: !door.node,
    };
    const change = version ? ({ kind: 'put', version: version.id } as const) : ({ kind: 'delete' } as const);
    if (effect === 'done') this.record.add(key, { ...about, endMs, sight, effect: change });
    else if (effect === 'none') this.record.add(key, { ...about, endMs, sight });
    else {
      const needs = demand && { ...demand };
      this.record.add(key, { ...about, endMs: Number.POSITIVE_INFINITY, sight: needs, effect: change });
    }
  }

  /** From now until it is called with what came in place of an answer. */
  private watch(door: Door, label: string): (problem?: string) => void {
    const startMs = this.record.nowMs();
    const stayedWell = watchDoor(door);
    return (problem) =>
      this.availability.count({
        purpose: 'write',
        isNodeWell: stayedWell(),
        startMs,
        endMs: this.record.nowMs(),
        problem,
        label: `${label} through ${door.name}`,
      });
  }
}

/** Of a step before the one that changes the object. */
function stepProblem(outcome: Outcome, isDone: boolean): string | undefined {
  if (isDone) return undefined;
  return `upload ${outcome.kind === 'answer' ? problemOf(outcome.answer) : outcome.kind}`;
}

function textOf(outcome: Outcome, element: string): string | undefined {
  if (outcome.kind !== 'answer' || outcome.answer.status !== 200) return undefined;
  return new RegExp(`<${element}>([^<]*)</${element}>`).exec(outcome.answer.body.toString())?.[1];
}
