import { type Frame, totalMicros } from './cpu-profile.ts';

const widthPx = 1600;
const rowPx = 17;
const headPx = 40;
/** Narrower boxes are left out: nobody could read or hit them. */
const leastPx = 0.4;
const charPx = 6.6;

interface Box {
  readonly frame: Frame;
  readonly depth: number;
  readonly leftPx: number;
  readonly boxPx: number;
  readonly micros: number;
}

/**
 * The profile as a picture (SVG): each box a function, as wide as the time spent in it and in what it called, which stands above it;
 * sorted by name, so that left and right say nothing about time. A pointer that rests on a box shows its place and its share.
 */
export function flameGraph(root: Frame, title: string): string {
  const boxes: Box[] = [];
  const allMicros = totalMicros(root);
  lay(root, 0, 0, widthPx / Math.max(1, allMicros), boxes);
  const depth = boxes.reduce((most, box) => Math.max(most, box.depth), 0) + 1;
  const heightPx = headPx + depth * rowPx + 8;
  const drawn = boxes.map((box) => draw(box, heightPx, allMicros)).join('\n');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${widthPx}" height="${heightPx}" viewBox="0 0 ${widthPx} ${heightPx}" font-family="monospace" font-size="11">
<rect width="100%" height="100%" fill="#fdfdfb"/>
<text x="8" y="24" font-size="15">${escaped(title)}</text>
${drawn}
</svg>
`;
}

function lay(frame: Frame, depth: number, leftPx: number, pxPerMicro: number, boxes: Box[]): void {
  const micros = totalMicros(frame);
  const boxPx = micros * pxPerMicro;
  if (boxPx < leastPx) return;
  boxes.push({ frame, depth, leftPx, boxPx, micros });
  let atPx = leftPx;
  for (const child of [...frame.children.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    lay(child, depth + 1, atPx, pxPerMicro, boxes);
    atPx += totalMicros(child) * pxPerMicro;
  }
}

function draw({ frame, depth, leftPx, boxPx, micros }: Box, heightPx: number, allMicros: number): string {
  const topPx = heightPx - (depth + 1) * rowPx - 4;
  const share = ((100 * micros) / allMicros).toFixed(2);
  const tip = `${frame.name} ${frame.place}: ${share} %, ${(micros / 1000).toFixed(1)} ms`;
  const room = Math.floor((boxPx - 6) / charPx);
  const label = room < 3 ? '' : frame.name.length <= room ? frame.name : `${frame.name.slice(0, room - 1)}…`;
  const text = label && `<text x="${(leftPx + 3).toFixed(1)}" y="${topPx + 12}">${escaped(label)}</text>`;
  return `<g><title>${escaped(tip)}</title><rect x="${leftPx.toFixed(1)}" y="${topPx}" width="${boxPx.toFixed(1)}" height="${rowPx - 1}" fill="${colourOf(frame)}"/>${text}</g>`;
}

/** Warm: this repository; blue: Node's own modules and packages; grey: what is no JavaScript (calls of the kernel, collection of garbage). */
function colourOf({ place, name }: Frame): string {
  if (place.startsWith('src/')) return name.length % 2 === 0 ? '#f2a65a' : '#f4b976';
  return place === '' ? '#c9c9c4' : '#9cc3dd';
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
