import type { ClusterStatus } from '../../admin/cluster-status.ts';
import type { Command } from '../command.ts';
import { Paint } from '../paint.ts';
import { statusScreen } from '../status-screen.ts';
import { callAdmin, show } from './shared.ts';

/** `forebay status` */
export const statusCommand: Command = {
  words: ['status'],
  arguments: [],
  options: [],
  summary: 'Show how the cluster is: nodes, mounts, caches, requests, and what is wrong; fails on an error',
  run: async (invocation) => {
    const status = await callAdmin<ClusterStatus>(invocation, 'GET', '/v1/status');
    show(invocation, status, statusScreen(status, new Paint(invocation.hasColour)));
    return status.health === 'error' ? 1 : 0;
  },
};
