import { inForce } from './holdings-of-all.ts';
import { type AdminRoute, integer, list, object, shortText, text } from './route.ts';

const setting = object({ key: text, value: text, from: { type: 'string', enum: ['cluster', 'node'] } }, [
  'key',
  'value',
  'from',
]);
const reach = object({ nodes: integer, nodesInForce: integer }, ['nodes', 'nodesInForce']);

/** Settings that can be changed while nodes run. */
export const configRoutes: readonly AdminRoute[] = [
  {
    name: 'ListSettings',
    method: 'GET',
    path: '/v1/settings',
    summary: 'The settings that can be changed while nodes run, as this node goes by them',
    answer: object({ settings: list(setting) }, ['settings']),
    changes: 'nothing',
    handler: async ({ clusterSettings }) => ({ status: 200, body: { settings: clusterSettings.list() } }),
  },
  {
    name: 'SetSetting',
    method: 'POST',
    path: '/v1/settings',
    summary: 'Sets one of them for all nodes, whatever each was started with',
    body: object({ key: shortText(64), value: shortText(256) }, ['key', 'value']),
    answer: reach,
    fails: ['Conflict'],
    changes: ({ clusterSettings }, { body }) => {
      const { key } = body as { key: string };
      return clusterSettings.list().find((one) => one.key === key);
    },
    handler: async (services, { body }) => {
      const { key, value } = body as { key: string; value: string };
      await services.clusterSettings.set(key, value);
      return { status: 200, body: await inForce(services) };
    },
  },
  {
    name: 'UnsetSetting',
    method: 'DELETE',
    path: '/v1/settings/:key',
    summary: 'Has each node go by its own value of it again',
    answer: reach,
    fails: ['NotFound', 'Conflict'],
    changes: ({ clusterSettings }, { parameters }) =>
      clusterSettings.list().find(({ key }) => key === parameters.key),
    handler: async (services, { parameters }) => {
      await services.clusterSettings.unset(parameters.key as string);
      return { status: 200, body: await inForce(services) };
    },
  },
];
