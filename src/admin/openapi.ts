import {
  type AdminCode,
  failureCodes,
  failuresOfAll,
  failuresOfBodies,
  failuresOfChanges,
} from './failure-codes.ts';
import type { OpenRoute } from './health.ts';
import type { AdminRoute, Schema } from './route.ts';

/** What the parts of a path that are parameters mean. */
const parameterMeanings: Readonly<Record<string, string>> = {
  target: 'BUCKET or BUCKET/PREFIX, percent-encoded as one part of the path',
  key: 'Key of the setting, as config show has it',
  object: 'BUCKET/KEY, percent-encoded as one part of the path',
  name: 'Name of the user',
  accessKeyId: 'The access key',
  id: 'Its id, as the list of them has it',
};

const failure: Schema = {
  type: 'object',
  properties: {
    code: { type: 'string', enum: Object.keys(failureCodes) },
    message: { type: 'string', description: 'What is wrong, and what to do about it, for a person' },
  },
  required: ['code', 'message'],
  additionalProperties: false,
};

/**
 * The admin API in the words of OpenAPI 3.1, out of the rows that the routes are made from. Throws where a row lacks what it takes: a
 * summary, or the meaning of a parameter.
 */
export function openApiDocument(
  routes: readonly AdminRoute[],
  open: readonly OpenRoute[],
  version: string,
): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {};
  const put = (path: string, method: string, operation: unknown) => {
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation };
  };
  for (const route of open) put(route.path, 'GET', openOperation(route));
  for (const route of routes)
    put(route.path.replaceAll(/:(\w+)/g, '{$1}'), route.method, signedOperation(route));
  return {
    openapi: '3.1.0',
    info: {
      title: 'Forebay admin API',
      version,
      summary: 'What the forebay command asks of a node',
      description:
        'Every node answers on its admin port (9001 by default). Requests are signed with AWS Signature Version 4 for the service `forebay`, in the Authorization header and over the whole body, by an access key of a user with the policy `admin`; paths are encoded twice, as everywhere but in S3. Names of parameters, the query and bodies that are not described are refused.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'The node that was asked' }],
    security: [{ sigv4: [] }],
    paths,
    components: {
      schemas: { Failure: failure },
      securitySchemes: {
        sigv4: {
          type: 'apiKey',
          in: 'header',
          name: 'Authorization',
          description: 'AWS Signature Version 4, service `forebay`; of administrators only',
        },
      },
    },
  };
}

/** Codes that a route may answer with. */
export function failuresOf({ body, changes, fails = [] }: AdminRoute): readonly AdminCode[] {
  return [
    ...failuresOfAll,
    ...(body ? failuresOfBodies : []),
    ...(changes === 'nothing' ? [] : failuresOfChanges),
    ...fails,
  ];
}

function signedOperation(route: AdminRoute): Readonly<Record<string, unknown>> {
  const { name, summary, body, answer, status = 200, changes } = route;
  if (summary === '') throw new Error(`the route ${name} has no summary`);
  const tag = route.path.split('/')[2] ?? 'api';
  return {
    operationId: name,
    summary,
    description:
      changes === 'nothing'
        ? 'For administrators. Changes nothing.'
        : 'For administrators. Written to the audit log before and after.',
    tags: [tag],
    parameters: [...pathParameters(route), ...queryParameters(route)],
    ...(body ? { requestBody: { required: true, content: json(body) } } : {}),
    responses: {
      [status]: { description: 'It went well', content: json(answer) },
      ...failureResponses(failuresOf(route)),
    },
  };
}

function pathParameters({ name, path }: AdminRoute) {
  return [...path.matchAll(/:(\w+)/g)].map(([, parameter = '']) => {
    const description = parameterMeanings[parameter];
    if (description === undefined) throw new Error(`nobody says what :${parameter} of ${name} means`);
    return { name: parameter, in: 'path', required: true, description, schema: { type: 'string' } };
  });
}

function queryParameters({ name, query }: AdminRoute) {
  const { properties = {}, required = [] } = (query ?? {}) as {
    properties?: Readonly<Record<string, Schema>>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([parameter, { description, ...schema }]) => {
    if (description === undefined) throw new Error(`nobody says what ?${parameter} of ${name} means`);
    return { name: parameter, in: 'query', required: required.includes(parameter), description, schema };
  });
}

function failureResponses(codes: readonly AdminCode[]): Readonly<Record<string, unknown>> {
  const byStatus = new Map<number, AdminCode[]>();
  for (const code of new Set(codes)) {
    const [status] = failureCodes[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => {
      const description = same.map((code) => `\`${code}\`: ${failureCodes[code][1]}`).join('. ');
      return [status, { description, content: json({ $ref: '#/components/schemas/Failure' }) }];
    }),
  );
}

function openOperation({ name, summary, answers }: OpenRoute): Readonly<Record<string, unknown>> {
  const responses = Object.entries(answers).map(([status, { description, type, schema }]) => [
    status,
    { description, content: { [type]: { schema } } },
  ]);
  return {
    operationId: name,
    summary,
    description: 'Needs no signature.',
    tags: ['health'],
    security: [],
    responses: Object.fromEntries(responses),
  };
}

function json(schema: Schema) {
  return { 'application/json': { schema } };
}
