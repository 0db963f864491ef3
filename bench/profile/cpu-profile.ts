import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Span } from '../lib/contest.ts';

/** What V8 writes, as far as it is used: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile */
interface V8Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      /** From 0; -1 where there is none. */
      readonly lineNumber: number;
    };
    readonly children?: readonly number[];
  }[];
  /** Microseconds of the monotonic clock. */
  readonly startTime: number;
  /** Ids of nodes. */
  readonly samples: readonly number[];
  /** Microseconds from the sample before, or from the start. */
  readonly timeDeltas: readonly number[];
}

/** A function that was on the stack, called from the one above it in the tree. */
export interface Frame {
  readonly name: string;
  /** File and line; '' of what is no JavaScript. */
  readonly place: string;
  /** Microseconds in it alone. */
  selfMicros: number;
  readonly children: Map<string, Frame>;
}

const checkout = fileURLToPath(new URL('../..', import.meta.url));
/** A thread that waits costs nothing. */
const waiting = '(idle)';

export function newRoot(name: string): Frame {
  return { name, place: '', selfMicros: 0, children: new Map() };
}

/** Adds what one thread did within the span below `root`. */
export async function addProfile(root: Frame, path: string, span: Span): Promise<void> {
  const profile = JSON.parse(await readFile(path, 'utf8')) as V8Profile;
  const frames = framesById(profile, root);
  let atMicros = profile.startTime;
  for (const [index, id] of profile.samples.entries()) {
    // A sample stands for the time up to the next one.
    atMicros += profile.timeDeltas[index] ?? 0;
    const lasted = profile.timeDeltas[index + 1] ?? 0;
    if (atMicros < span.startMicros || atMicros >= span.endMicros || lasted < 0) continue;
    const frame = frames.get(id);
    if (frame && frame.name !== waiting) frame.selfMicros += lasted;
  }
}

/** Where each node of the profile belongs below `root`. */
function framesById({ nodes }: V8Profile, root: Frame): Map<number, Frame> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const frames = new Map<number, Frame>();
  const [first] = nodes;
  if (!first) return frames;
  frames.set(first.id, root);
  const open = [first];
  for (let node = open.pop(); node; node = open.pop()) {
    const parent = frames.get(node.id);
    for (const child of node.children ?? []) {
      const known = byId.get(child);
      if (!known || !parent) continue;
      frames.set(child, childOf(parent, known.callFrame));
      open.push(known);
    }
  }
  return frames;
}

function childOf(parent: Frame, { functionName, url, lineNumber }: V8Profile['nodes'][number]['callFrame']) {
  const name = functionName || '(anonymous)';
  const file = url
    .replace('file://', '')
    .replace(checkout, '')
    .replace(/^.*node_modules\//, '');
  const place = file === '' ? '' : `${file}:${lineNumber + 1}`;
  const key = `${name} ${place}`;
  const known = parent.children.get(key);
  if (known) return known;
  const frame: Frame = { name, place, selfMicros: 0, children: new Map() };
  parent.children.set(key, frame);
  return frame;
}

/** Microseconds in the frame and in all that it called. */
export function totalMicros(frame: Frame): number {
  let total = frame.selfMicros;
  for (const child of frame.children.values()) total += totalMicros(child);
  return total;
}

export interface SelfTime {
  readonly name: string;
  readonly place: string;
  readonly micros: number;
}

/** Functions by the time spent in them alone, wherever they were called from, the longest first. */
export function selfTimes(root: Frame): SelfTime[] {
  const times = new Map<string, { name: string; place: string; micros: number }>();
  const open = [root];
  for (let frame = open.pop(); frame; frame = open.pop()) {
    open.push(...frame.children.values());
    const key = `${frame.name} ${frame.place}`;
    const known = times.get(key);
    if (known) known.micros += frame.selfMicros;
    else times.set(key, { name: frame.name, place: frame.place, micros: frame.selfMicros });
  }
  return [...times.values()].filter(({ micros }) => micros > 0).sort((a, b) => b.micros - a.micros);
}
