import type { Command } from '../command.ts';
import { columns } from '../text.ts';
import { callAdmin, show } from './shared.ts';

interface Node {
  readonly workerId: string;
  readonly state: string;
  readonly weight: number;
  readonly share: number;
  readonly s3?: string;
  readonly admin?: string;
  readonly isThisNode: boolean;
}

/** `forebay node …` */
export const nodeCommands: readonly Command[] = [
  {
    words: ['node', 'list'],
    arguments: [],
    options: [],
    summary: 'List the nodes of the cluster',
    run: async (invocation) => {
      const { nodes } = await callAdmin<{ nodes: Node[] }>(invocation, 'GET', '/v1/nodes');
      const rows = nodes.map((node) => [
        `${node.workerId}${node.isThisNode ? ' *' : ''}`,
        node.state,
        String(node.weight),
        `${(node.share * 100).toFixed(2)} %`,
        node.s3 ?? '',
        node.admin ?? '',
      ]);
      show(invocation, nodes, columns([['NODE', 'STATE', 'WEIGHT', 'SHARE', 'S3', 'ADMIN'], ...rows]));
      return 0;
    },
  },
  {
    words: ['node', 'drain'],
    arguments: [],
    options: [],
    summary: 'Hand over what this node owns, before it is ended',
    run: async (invocation) => {
      await callAdmin(invocation, 'POST', '/v1/node/drain');
      show(invocation, { drained: true }, ['the node owns nothing any more; end it, or start it again']);
      return 0;
    },
  },
  {
    words: ['node', 'remove'],
    arguments: ['ID'],
    options: [],
    summary: 'Forget a registered worker that is away (static mode)',
    run: async (invocation) => {
      const id = invocation.arguments.ID ?? '';
      await callAdmin(invocation, 'DELETE', `/v1/nodes/${encodeURIComponent(id)}`);
      show(invocation, { removed: id }, [`removed the worker ${id}`]);
      return 0;
    },
  },
];
