import { openRoutes } from './health.ts';
import { openApiDocument } from './openapi.ts';
import type { AdminRoute } from './route.ts';

/** The route that describes all routes, itself among them. */
export function describing(others: readonly AdminRoute[]): AdminRoute {
  const self: AdminRoute = {
    name: 'DescribeApi',
    method: 'GET',
    path: '/openapi.json',
    summary: 'This description, in the words of OpenAPI 3.1',
    answer: { type: 'object', additionalProperties: true },
    changes: 'nothing',
    handler: async ({ version }) => ({
      status: 200,
      body: openApiDocument([...others, self], openRoutes, version),
    }),
  };
  return self;
}
