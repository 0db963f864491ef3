import type { PendingPlace } from '../../admin/pending-places.ts';
import type { Command, Invocation } from '../command.ts';
import { columns } from '../text.ts';
import { callAdmin, show } from './shared.ts';

interface Pending {
  readonly places: readonly PendingPlace[];
  readonly usedBytes: number;
  readonly capacityBytes: number;
  readonly lostRecords: number;
}
interface Changes {
  readonly changes: readonly {
    readonly key: string;
    readonly type: string;
    readonly bytes?: number;
    readonly acknowledged: string;
    readonly sent: boolean;
    readonly damaged?: boolean;
    readonly lastError?: string;
  }[];
  readonly truncated: boolean;
}

const target = 'BUCKET[/PREFIX]';

/** `forebay pending …` */
export const pendingCommands: readonly Command[] = [
  {
    words: ['pending', 'list'],
    arguments: [],
    options: [],
    summary: 'How many writes are acknowledged and not at their storage yet',
    run: async (invocation) => {
      const pending = await callAdmin<Pending>(invocation, 'GET', '/v1/pending');
      const rows = pending.places.map((place) => [
        place.mount ?? '-',
        place.place,
        String(place.entries),
        String(place.bytes),
        place.oldestSeconds === undefined ? '-' : `${place.oldestSeconds}s`,
        String(place.failing),
        place.lastError ?? '',
      ]);
      const lost =
        pending.lostRecords === 0
          ? []
          : [
              `${pending.lostRecords} records cannot be read: acknowledged writes are lost, and nothing is served from mounts that may hold them until forebay pending accept-loss`,
            ];
      show(invocation, pending, [
        ...columns([['MOUNT', 'STORAGE', 'WRITES', 'BYTES', 'OLDEST', 'FAILING', 'LAST ERROR'], ...rows]),
        ...lost,
      ]);
      return pending.lostRecords === 0 ? 0 : 1;
    },
  },
  {
    words: ['pending', 'show'],
    arguments: [target],
    options: [],
    summary: 'Show the writes that are pending there',
    run: async (invocation) => {
      const found = await callAdmin<Changes>(invocation, 'GET', pathOf(invocation));
      const rows = found.changes.map((one) => [
        one.key,
        one.type,
        String(one.bytes ?? '-'),
        one.acknowledged,
        one.damaged ? 'damaged' : one.sent ? 'sent' : 'waiting',
        one.lastError ?? '',
      ]);
      show(invocation, found, [
        ...columns([['KEY', 'WHAT', 'BYTES', 'ACKNOWLEDGED', 'STATE', 'LAST ERROR'], ...rows]),
        ...(found.truncated ? ['and more'] : []),
      ]);
      return 0;
    },
  },
  {
    words: ['pending', 'flush'],
    arguments: [target],
    options: [],
    summary: 'Wait until what is pending there is at its storage; fails if that takes more than 40 s',
    run: async (invocation) => {
      const left = await callAdmin<{ entries: number }>(invocation, 'POST', `${pathOf(invocation)}/flush`);
      const line = left.entries === 0 ? 'nothing is pending' : `${left.entries} writes are still pending`;
      show(invocation, left, [line]);
      return left.entries === 0 ? 0 : 1;
    },
  },
  {
    words: ['pending', 'accept-loss'],
    arguments: [],
    options: [],
    summary: 'Go on without acknowledged writes whose records cannot be read any more',
    run: async (invocation) => {
      const lost = await callAdmin<{ lostRecords: number }>(invocation, 'POST', '/v1/pending-loss/accept');
      show(invocation, lost, [`gone on without ${lost.lostRecords} records`]);
      return 0;
    },
  },
];

function pathOf(invocation: Invocation): string {
  return `/v1/pending/${encodeURIComponent(invocation.arguments[target] ?? '')}`;
}
