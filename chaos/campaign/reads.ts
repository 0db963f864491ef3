import { setTimeout as sleep } from 'node:timers/promises';
import type { Draws } from '../../fuzz/lib/draws.ts';
import { readPage } from '../checker/list-pages.ts';
import type { Availability, Purpose } from './availability.ts';
import { etagOf, type Outcome, problemOf } from './client.ts';
import { type Door, watchDoor } from './door.ts';
import { type ReadQuestion, readAnswer } from './read-answer.ts';
import type { Record } from './record.ts';

/** Keys of a page of a list. */
const pageKeys = 7;
/** At the end, of each read. */
const maxLastTries = 20;
const lastPauseMs = 1_000;

/** Where a page of a list begins: after a key, and by what the page before said of that. */
interface Place {
  readonly after: string;
  readonly token?: string;
}

/** Reads objects through doors, and writes down what was seen. A read without an answer is asked once more, as an SDK does, through another door. */
export class Reads {
  /** Reads that had no answer twice, the second time through a node that nothing was done to. */
  failedTwice = 0;
  private readonly record: Record;
  private readonly availability: Availability;
  private readonly draws: Draws;
  private readonly freshMs: number | undefined;
  private readonly mustAnswer: boolean;

  /**
   * `freshMs`: how old what nodes answer may be where others change the storage; undefined: not at all. `mustAnswer`: whether one that nothing is
   * done to has to answer, whatever is done to others.
   */
  constructor(
    record: Record,
    availability: Availability,
    draws: Draws,
    freshMs: number | undefined,
    mustAnswer: boolean,
  ) {
    this.record = record;
    this.availability = availability;
    this.draws = draws;
    this.freshMs = freshMs;
    this.mustAnswer = mustAnswer;
  }

  /** `another`: gives a door for the second try, which nothing is done to; undefined if there is none. */
  async read(door: Door, another: () => Door | undefined, question: ReadQuestion): Promise<void> {
    const label = `${question.method} ${question.key}`;
    await this.twice('read', label, door, another, (through) => this.readOnce(through, question));
  }

  async list(doors: () => Door, another: () => Door | undefined, prefix: string): Promise<void> {
    for (let place: Place | undefined = { after: '' }; place; ) {
      const from: Place = place;
      let next: Place | undefined;
      const isDone = await this.twice(
        'list',
        `LIST after ${from.after}`,
        doors(),
        another,
        async (through) => {
          const page = await this.listOnce(through, prefix, from);
          next = page.next;
          return page.problem;
        },
      );
      place = isDone ? next : undefined;
    }
  }

  /** Of each key what the door answers now, or soon: on a busy machine a lease may lapse. Where it does not, that is complained of, once. */
  async readAll(door: Door): Promise<ReadonlyMap<string, string>> {
    const seen = new Map<string, string>();
    for (const key of this.record.keys) {
      for (let tries = 1; ; tries++) {
        const problem = await this.readOnce(door, { method: 'GET', key }, (said) => seen.set(key, said));
        if (problem === undefined) break;
        if (tries === maxLastTries) {
          this.record.complain(`GET ${key} through ${door.name} at the end: ${problem}`);
          return seen;
        }
        await sleep(lastPauseMs);
      }
    }
    return seen;
  }

  private async twice(
    purpose: Purpose,
    label: string,
    door: Door,
    another: () => Door | undefined,
    once: (door: Door) => Promise<string | undefined>,
  ): Promise<boolean> {
    const stayedWell = watchDoor(door);
    const startMs = this.record.nowMs();
    const problem = await once(door);
    this.availability.count({
      purpose,
      isNodeWell: stayedWell(),
      startMs,
      endMs: this.record.nowMs(),
      problem,
      label: `${label} through ${door.name}`,
    });
    if (problem === undefined) return true;
    await sleep(100 + this.draws.next() * 400);
    const second = another();
    if (!second) return false;
    const secondWell = watchDoor(second);
    const secondProblem = await once(second);
    if (secondProblem === undefined) return true;
    if (secondWell()) {
      this.failedTwice += 1;
      if (!this.mustAnswer) return false;
      this.record.complain(
        `a ${purpose} failed through ${door.name}, ${problem}, and again through ${second.name}, ${secondProblem}`,
      );
    }
    return false;
  }

  /** What is in place of an answer, undefined if it is there. */
  private async readOnce(
    door: Door,
    question: ReadQuestion,
    tell?: (said: string) => void,
  ): Promise<string | undefined> {
    const { method, key, range, ifMatch, ifNoneMatch } = question;
    const headers: { [name: string]: string } = {};
    if (range) headers.Range = `bytes=${range.from}-${range.to}`;
    if (ifMatch !== undefined) headers['If-Match'] = `"${ifMatch}"`;
    if (ifNoneMatch !== undefined) headers['If-None-Match'] = `"${ifNoneMatch}"`;
    const startMs = this.record.nowMs();
    const outcome = await door.client.send({ method, path: door.base + key, headers });
    const endMs = this.record.nowMs();
    const { sight, problem, said } = readAnswer(this.record, question, outcome);
    const freshMs = door.node && this.freshMs;
    if (sight)
      this.record.add(key, {
        startMs,
        endMs,
        sight,
        freshMs,
        label: `${method} through ${door.name}: ${said}`,
      });
    tell?.(said);
    return problem;
  }

  private async listOnce(
    door: Door,
    prefix: string,
    { after, token }: Place,
  ): Promise<{ readonly next?: Place; readonly problem?: string }> {
    const query: (readonly [string, string])[] = [
      ['list-type', '2'],
      ['max-keys', String(pageKeys)],
      ['prefix', prefix],
    ];
    if (token !== undefined) query.push(['continuation-token', token]);
    const startMs = this.record.nowMs();
    const outcome = await door.client.send({ method: 'GET', path: door.base.slice(0, -1), query });
    const endMs = this.record.nowMs();
    const page = parsePage(outcome);
    if (typeof page === 'string') return { problem: page };
    try {
      for (const { key, sight } of readPage({ prefix, after, ...page }, this.record.keys)) {
        this.record.add(key, {
          startMs,
          endMs,
          sight,
          label: `LIST through ${door.name}: ${'etag' in sight ? sight.etag : sight.kind}`,
        });
      }
    } catch (error) {
      this.record.complain(`through ${door.name}: ${(error as Error).message}`);
    }
    const last = page.keys.at(-1)?.key;
    return { next: page.isTruncated && last !== undefined ? { after: last, token: page.token } : undefined };
  }
}

function parsePage(outcome: Outcome) {
  if (outcome.kind !== 'answer') return outcome.kind;
  const { status, body } = outcome.answer;
  if (status !== 200) return problemOf(outcome.answer);
  const text = body.toString();
  const keys = [...text.matchAll(/<Contents>(.*?)<\/Contents>/gs)].map(([, entry = '']) => ({
    key: /<Key>(.*?)<\/Key>/.exec(entry)?.[1] ?? '',
    etag: etagOf(/<ETag>(.*?)<\/ETag>/.exec(entry)?.[1]) ?? '',
  }));
  const token = /<NextContinuationToken>(.*?)</.exec(text)?.[1];
  return { keys, token, isTruncated: text.includes('<IsTruncated>true</IsTruncated>') };
}
