import { describing } from './api-routes.ts';
import { auditRoutes } from './audit-routes.ts';
import { configRoutes } from './config-routes.ts';
import { explainRoutes } from './explain-routes.ts';
import { jobRoutes } from './job-routes.ts';
import { mountRoutes } from './mount-routes.ts';
import { pendingRoutes } from './pending-routes.ts';
import { policyRoutes } from './policy-routes.ts';
import { ringRoutes } from './ring-routes.ts';
import type { AdminRoute } from './route.ts';
import { statusRoutes } from './status-routes.ts';
import { userRoutes } from './user-routes.ts';

const described: readonly AdminRoute[] = [
  ...userRoutes,
  ...mountRoutes,
  ...policyRoutes,
  ...configRoutes,
  ...pendingRoutes,
  ...ringRoutes,
  ...auditRoutes,
  ...statusRoutes,
  ...explainRoutes,
  ...jobRoutes,
];

/** Every route of the admin API that is signed. Health and metrics are apart, in `health.ts`. */
export const adminRoutes: readonly AdminRoute[] = [...described, describing(described)];
