import type { Draws } from '../lib/draws.ts';
import { drawBucket, drawList, drawOwnBucket } from './draw-buckets.ts';
import {
  drawCopy,
  drawDelete,
  drawDeleteObjects,
  drawGet,
  drawHead,
  drawPut,
  drawTagging,
} from './draw-objects.ts';
import { drawSetting } from './draw-settings.ts';
import {
  drawAbort,
  drawComplete,
  drawCreateUpload,
  drawListParts,
  drawListUploads,
  drawPart,
  drawPartCopy,
} from './draw-uploads.ts';
import { drawListVersions, drawVersioning, ofSomeVersion } from './draw-versions.ts';
import type { Drawn, Step } from './step.ts';
import { World, type WorldSettings } from './world.ts';

type Draw = (world: World) => Drawn;

/** How often each comes. */
const kinds: readonly (readonly [weight: number, draw: Draw])[] = [
  [20, drawPut],
  [18, drawGet],
  [8, drawHead],
  [10, drawCopy],
  [7, drawDelete],
  [4, drawDeleteObjects],
  [6, drawCreateUpload],
  [9, drawPart],
  [3, drawPartCopy],
  [6, drawComplete],
  [2, drawAbort],
  [3, drawListParts],
  [3, drawListUploads],
  [10, drawList],
  [2, drawBucket],
];
const ofUploads: ReadonlySet<Draw> = new Set([
  drawPart,
  drawPartCopy,
  drawComplete,
  drawAbort,
  drawListParts,
]);
const tagging: readonly (readonly [weight: number, draw: Draw])[] = [[4, drawTagging]];
const ownBuckets: readonly (readonly [weight: number, draw: Draw])[] = [[3, drawOwnBucket]];

const ofSettings: readonly (readonly [weight: number, draw: Draw])[] = [
  [6, drawVersioning],
  [7, drawListVersions],
  [8, drawSetting],
];
/** What may be asked of one version. */
const ofVersions: ReadonlySet<string> = new Set([
  'GetObject',
  'HeadObject',
  'DeleteObject',
  'GetObjectTagging',
  'PutObjectTagging',
  'DeleteObjectTagging',
]);

/** Random requests, the later ones about what the earlier ones made. */
export function drawSequence(draws: Draws, length: number, settings: WorldSettings): readonly Step[] {
  const world = new World(draws, settings);
  const all = [
    ...kinds,
    ...(settings.ownBuckets ? ownBuckets : []),
    ...(world.offers('PutObjectTagging') ? tagging : []),
    ...(settings.settings ? ofSettings : []),
  ];
  return draws.list(length, () => {
    let draw = draws.weighted(all);
    // An upload must be there first, where unknown ones are not asked for.
    if (world.uploads.length === 0 && ofUploads.has(draw) && !world.allows('unknown uploads'))
      draw = drawCreateUpload;
    const drawn = draw(world);
    const isOfVersion = settings.settings && ofVersions.has(drawn.operation) && draws.chance(0.3);
    return { id: world.nextId++, ...(isOfVersion ? ofSomeVersion(world, drawn) : drawn) };
  });
}
