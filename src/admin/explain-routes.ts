import { AdminError } from './admin-error.ts';
import { policyInForce } from './policy-routes.ts';
import { type AdminRoute, flag, integer, list, number, object, shortText, silentOf, text } from './route.ts';
import { wordsOf } from './rule-words.ts';

const version = object(
  { etag: text, generation: text, lastModifiedMs: number, sizeBytes: integer, versionId: text },
  ['etag', 'generation', 'lastModifiedMs', 'sizeBytes'],
);
const held = object(
  {
    pageSizeBytes: integer,
    pages: integer,
    looked: integer,
    inMemory: integer,
    onDisk: integer,
    runs: list(list(integer)),
  },
  ['pageSizeBytes', 'pages', 'looked', 'inMemory', 'onDisk', 'runs'],
);
const told = object(
  {
    incarnation: text,
    known: object({ version, validatedMs: number, isYoung: flag }, ['validatedMs', 'isYoung']),
    mayUse: flag,
    held,
    holdsSome: flag,
    evicted: object({ atMs: number, reason: text, pages: integer }, ['atMs', 'reason', 'pages']),
    pending: object({ type: text, atMs: number, sizeBytes: integer, etag: text, lastError: text }, [
      'type',
      'atMs',
    ]),
  },
  ['incarnation', 'mayUse', 'holdsSome'],
);
const node = object({ workerId: text, silence: text, told }, ['workerId']);
const bucketAndKey = {
  bucket: { ...shortText(63), description: 'Of the bucket' },
  key: { ...shortText(1024), description: 'Of the object' },
};
const rule = {
  rule: text,
  statement: text,
  meaning: text,
  advice: text,
};

const askMs = 4_000;

/** Why things are as they are: of an object, of what somebody may do, of a request that was refused. */
export const explainRoutes: readonly AdminRoute[] = [
  {
    name: 'ExplainObject',
    method: 'GET',
    path: '/v1/explain/object',
    summary:
      'Where an object lies, who owns it, which policy holds for it, and what all nodes know and hold of it',
    query: object(
      {
        ...bucketAndKey,
        check: { type: 'string', enum: ['yes'], description: 'Ask the storage what it has now' },
      },
      ['bucket', 'key'],
    ),
    answer: object(
      {
        bucket: text,
        key: text,
        mount: text,
        storage: text,
        path: text,
        readOnly: flag,
        writeMode: text,
        freshness: text,
        isExclusive: flag,
        policy: object(policyInForce, Object.keys(policyInForce)),
        nowMs: number,
        view: object({ generation: integer, epoch: integer }, ['generation', 'epoch']),
        owner: text,
        placement: list(object({ segment: integer, workerId: text }, ['segment'])),
        segmentBytes: integer,
        version,
        storageSays: object({ version, fault: text }, []),
        nodes: list(node),
      },
      [
        'bucket',
        'key',
        'storage',
        'path',
        'readOnly',
        'writeMode',
        'freshness',
        'isExclusive',
        'policy',
        'nowMs',
        'placement',
        'segmentBytes',
        'nodes',
      ],
    ),
    fails: ['NoSuchBucket', 'BackendFailed'],
    changes: 'nothing',
    handler: async ({ explain }, { query }) => {
      const { bucket = '', key = '', check } = query;
      return { status: 200, body: await explain.object(bucket, key, check === 'yes') };
    },
  },
  {
    name: 'ExplainAccess',
    method: 'GET',
    path: '/v1/explain/access',
    summary: 'Whether somebody may do something, and by which rule',
    query: object(
      {
        ...bucketAndKey,
        action: { ...shortText(128), description: 'Such as s3:GetObject' },
        accessKeyId: { ...shortText(128), description: 'Of whom; absent: of somebody who does not sign' },
        from: { ...shortText(45), description: 'The address that the request would come from' },
      },
      ['bucket', 'action'],
    ),
    answer: object({ isAllowed: flag, ...rule, user: text, policy: text, bucketOwner: text, fault: text }, [
      'isAllowed',
      'rule',
      'meaning',
    ]),
    fails: ['BackendFailed'],
    changes: 'nothing',
    handler: async ({ explain }, { query }) => {
      const { bucket = '', key, action = '', accessKeyId, from } = query;
      const found = await explain.access({ bucket, key, action, accessKeyId, from });
      return { status: 200, body: { ...found, ...wordsOf(found.rule) } };
    },
  },
  {
    name: 'ExplainRequest',
    method: 'GET',
    path: '/v1/explain/request',
    summary: 'Which rule refused a request, by the id that its answer had; of the latest 1,024 at each node',
    query: object({ id: { ...shortText(64), description: 'x-amz-request-id' } }, ['id']),
    answer: object(
      {
        requestId: text,
        workerId: text,
        time: text,
        method: text,
        path: text,
        operation: text,
        user: text,
        accessKeyId: text,
        from: text,
        status: integer,
        code: text,
        message: text,
        action: text,
        detail: text,
        ...rule,
      },
      [
        'requestId',
        'workerId',
        'time',
        'method',
        'path',
        'operation',
        'status',
        'code',
        'message',
        'meaning',
      ],
    ),
    fails: ['NotFound'],
    changes: 'nothing',
    handler: async ({ reports }, { query: { id = '' } }) => {
      const told = await reports.ask('refusal', { requestId: id }, askMs);
      const found = told.find((report) => report.told);
      if (!found) throw notFound(id, silentOf(told).length);
      const refusal = found.told as { readonly rule?: string; readonly code: string };
      const body = {
        ...refusal,
        workerId: found.member.workerId,
        ...wordsOf(refusal.rule, refusal.code),
      };
      return { status: 200, body };
    },
  },
];

function notFound(id: string, silent: number): AdminError {
  const others = silent === 0 ? '' : `; ${silent} nodes do not answer, and may know of it`;
  return new AdminError(
    404,
    'NotFound',
    `no node remembers that it refused a request ${id}: it went well, its object was not there, it is among the older ones, or its node was started again${others}`,
  );
}
