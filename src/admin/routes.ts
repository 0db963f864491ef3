import { mountRoutes } from './mount-routes.ts';
import { pendingRoutes } from './pending-routes.ts';
import { ringRoutes } from './ring-routes.ts';
import type { AdminRoute } from './route.ts';
import { userRoutes } from './user-routes.ts';

/** Every route of the admin API that is signed. Health and metrics are apart, in `health.ts`. */
export const adminRoutes: readonly AdminRoute[] = [
  ...userRoutes,
  ...mountRoutes,
  ...pendingRoutes,
  ...ringRoutes,
];
