import type { Command } from '../command.ts';
import { UsageError } from '../errors.ts';
import { roundBytes } from '../quantities.ts';
import { columns } from '../text.ts';
import { targetOf } from './policy.ts';
import { callAdmin, show } from './shared.ts';

interface Cached {
  readonly target: string;
  readonly pages: number;
  readonly bytes: number;
  readonly nodes: readonly { readonly workerId: string; readonly pages: number; readonly bytes: number }[];
  readonly silent: readonly { readonly workerId: string; readonly silence: string }[];
}

const target = 's3://BUCKET[/PREFIX]';

/** `forebay du --cached PREFIX` */
export const duCommand: Command = {
  words: ['du'],
  arguments: [target],
  options: [{ flag: '--cached', meaning: 'What the nodes hold, as their pages say' }],
  summary: 'Count what is cached of a bucket or prefix, node by node; exit code 1 if a node does not answer',
  run: async (invocation) => {
    if (!invocation.options.has('--cached')) {
      throw new UsageError('say --cached: what the storage holds is counted by the storage’s own tools');
    }
    const name = targetOf(invocation, target);
    const answer = await callAdmin<Cached>(invocation, 'GET', `/v1/cached/${encodeURIComponent(name)}`);
    const { nodes, silent, pages, bytes } = answer;
    const asked = nodes.length + silent.length;
    const rows = [
      ...nodes.map((node) => rowOf(node.workerId, node.pages, node.bytes)),
      ...silent.map(({ workerId, silence }) => [workerId, '?', '?', silence]),
      rowOf(asked === 1 ? 'the node' : `${nodes.length} of ${asked} nodes`, pages, bytes),
    ];
    show(invocation, answer, [
      ...columns([['NODE', 'PAGES', 'BYTES', 'SIZE'], ...rows]),
      ...(silent.length > 0 ? ['not every node answered: there is at least that much'] : []),
    ]);
    return silent.length > 0 ? 1 : 0;
  },
};

function rowOf(node: string, pages: number, bytes: number): string[] {
  return [node, String(pages), String(bytes), roundBytes(bytes)];
}
