import { accessOperations } from './access-operations.ts';
import type { Route, S3Request } from './call.ts';
import { invalidArgument, S3Error } from './errors.ts';
import { offeredOperations } from './operation-table.ts';
import { refusedOperations } from './refused-operations.ts';
import { unsetOperations } from './unset-operations.ts';

/** Every operation that S3 has: those that are offered, those about what is never set, and those that answer NotImplemented. */
export const routes: readonly Route[] = [
  ...offeredOperations,
  ...accessOperations,
  ...unsetOperations,
  ...refusedOperations,
];

type Scope = Route['scope'];

/** Query keys that name a part of a resource in one operation and merely say more in another. */
const plainParameters: ReadonlySet<string> = new Set(['partNumber', 'id', 'annotationName', 'list-type']);

/** Routes by scope and method, those with the most conditions first. */
const groups = groupRoutes(routes);
/** Those of them that ask for no query key. */
const plainGroups = groupRoutes(routes.filter(({ query }) => query === undefined));
const subresources: Readonly<Record<Scope, ReadonlySet<string>>> = {
  service: subresourcesOf('service'),
  bucket: subresourcesOf('bucket'),
  object: subresourcesOf('object'),
};

/**
 * The one operation that a request names, by method, by what it is addressed to, and by the query keys and the header that a
 * row of the table asks for. Query keys that are nobody's are ignored, as S3 does; one that names a sub-resource never is,
 * so that `DELETE /bucket/key?acl` is not taken for a deletion of the object.
 *
 * MethodNotAllowed if no operation has that method there; InvalidArgument if two sub-resources are named at once; InvalidRequest for
 * the versions of a key, which are listed with its bucket's.
 */
export function matchRoute(request: S3Request): Route {
  const scope = scopeOf(request);
  const rows = (request.query.size === 0 ? plainGroups : groups)[scope].get(request.method);
  const route = rows?.find((row) => matches(row, request));
  const named = namedSubresources(request, scope);
  if (request.query.size > 0) refuseVersionsOfKey(request, scope);
  if (route === undefined) throw methodNotAllowed(scope, named[0]);
  const beside = named.find((key) => !route.query?.includes(key));
  if (beside === undefined) return route;
  if (named.length === 1) throw methodNotAllowed(scope, beside);
  throw invalidArgument(
    'ResourceType',
    named[0] ?? beside,
    `Conflicting query string parameters: ${named.slice(0, 2).join(', ')}`,
  );
}

function scopeOf(request: S3Request): Scope {
  if (request.bucket === undefined) return 'service';
  return request.key === undefined ? 'bucket' : 'object';
}

function matches(route: Route, request: S3Request): boolean {
  if (route.header !== undefined && request.headers[route.header] === undefined) return false;
  const { query } = route;
  if (query === undefined) return true;
  return query.length <= request.query.size && query.every((key) => request.query.has(key));
}

const none: readonly string[] = [];

function namedSubresources(request: S3Request, scope: Scope): readonly string[] {
  if (request.query.size === 0) return none;
  return [...request.query.keys()].filter((key) => subresources[scope].has(key));
}

function refuseVersionsOfKey({ method, query }: S3Request, scope: Scope): void {
  if (scope !== 'object' || method !== 'GET' || !query.has('versions')) return;
  throw new S3Error('InvalidRequest', {
    message: 'There is no such thing as the ?versions sub-resource for a key',
  });
}

/** What S3 calls a resource, where that is not what the query does. */
const resourceTypes: Readonly<Record<string, string>> = { uploadId: 'UPLOAD' };

function methodNotAllowed(scope: Scope, subresource: string | undefined): S3Error {
  const ResourceType = resourceTypes[subresource ?? ''] ?? (subresource ?? scope).toUpperCase();
  const allowed = routes.filter(
    ({ scope: of, query = [], header }) =>
      of === scope &&
      header === undefined &&
      query.length === (subresource ? 1 : 0) &&
      query[0] === subresource,
  );
  const methods = new Set(allowed.map(({ method }) => method));
  // RFC 9110, 15.5.6: what is allowed is always told.
  return new S3Error('MethodNotAllowed', {
    extra: { ResourceType },
    headers: { allow: [...methods].join(', ') },
  });
}

function groupRoutes(all: readonly Route[]): Readonly<Record<Scope, ReadonlyMap<string, readonly Route[]>>> {
  const of = (scope: Scope) => {
    const rows = all.filter((route) => route.scope === scope).toSorted((a, b) => weight(b) - weight(a));
    return Map.groupBy(rows, (route) => route.method);
  };
  return { service: of('service'), bucket: of('bucket'), object: of('object') };
}

function weight(route: Route): number {
  return (route.query?.length ?? 0) * 2 + (route.header === undefined ? 0 : 1);
}

function subresourcesOf(scope: Scope): ReadonlySet<string> {
  const keys = routes.filter((route) => route.scope === scope).flatMap((route) => route.query ?? []);
  return new Set(keys.filter((key) => !plainParameters.has(key)));
}
