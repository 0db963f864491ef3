import { policies } from '../auth/user-record.ts';
import type { GivenKey, UserInfo } from '../auth/user-store.ts';
import { AdminError } from './admin-error.ts';
import {
  type AdminRoute,
  flag,
  type Look,
  list,
  nothing,
  object,
  secretText,
  shortText,
  text,
} from './route.ts';

const key = object({ accessKeyId: text, created: text, disabled: flag }, ['accessKeyId', 'disabled']);
const user = object({ name: text, policy: text, created: text, keys: list(key) }, ['name', 'policy', 'keys']);
const newKey = object({ user: text, accessKeyId: text, secretAccessKey: text }, [
  'user',
  'accessKeyId',
  'secretAccessKey',
]);
const givenKey = { accessKeyId: shortText(128), secretAccessKey: secretText(128) };

interface CreateUserBody extends GivenKey {
  readonly name: string;
  readonly policy: string;
}

/** The user whose name stands in the path. */
const lookAtUser: Look = ({ users }, { parameters }) => userView(users.showUser(parameters.name as string));

/** Users and their access keys. A secret is in the answer to its creation, and never again. */
export const userRoutes: readonly AdminRoute[] = [
  {
    name: 'CreateUser',
    method: 'POST',
    path: '/v1/users',
    summary: 'Creates a user with one access key; what of the key is not given is made up',
    body: object({ name: shortText(64), policy: { type: 'string', enum: policies }, ...givenKey }, [
      'name',
      'policy',
    ]),
    answer: newKey,
    status: 201,
    fails: ['AlreadyExists', 'LimitExceeded'],
    changes: ({ users }, { body }) => userView(users.showUser((body as CreateUserBody).name)),
    handler: async ({ users }, request) => {
      const { name, policy, accessKeyId, secretAccessKey } = request.body as CreateUserBody;
      const created = await users.createUser(name, { policy, accessKeyId, secretAccessKey });
      return { status: 201, body: { user: name, ...created } };
    },
  },
  {
    name: 'ListUsers',
    method: 'GET',
    path: '/v1/users',
    summary: 'All users with their access keys, the root user first',
    answer: object({ users: list(user) }, ['users']),
    changes: 'nothing',
    handler: async ({ users }) => ({ status: 200, body: { users: users.listUsers().map(userView) } }),
  },
  {
    name: 'ShowUser',
    method: 'GET',
    path: '/v1/users/:name',
    summary: 'One user with its access keys',
    answer: user,
    fails: ['NotFound'],
    changes: 'nothing',
    handler: async ({ users }, { parameters }) => ({
      status: 200,
      body: userView(users.showUser(parameters.name as string)),
    }),
  },
  {
    name: 'DeleteUser',
    method: 'DELETE',
    path: '/v1/users/:name',
    summary: 'Deletes a user that owns no bucket; its keys are refused from then on',
    answer: nothing,
    fails: ['NotFound', 'UserOwnsBuckets', 'Conflict'],
    changes: lookAtUser,
    handler: async ({ users, mounts }, { parameters }) => {
      const name = parameters.name as string;
      users.showUser(name);
      // A later user of the same name would find the buckets its own.
      const owned = mounts.buckets.list().find((bucket) => bucket.owner === name);
      if (owned) {
        throw new AdminError(
          409,
          'UserOwnsBuckets',
          `${name} owns the bucket ${owned.name}: delete its buckets first`,
        );
      }
      await users.deleteUser(name);
      return { status: 200, body: {} };
    },
  },
  {
    name: 'CreateKey',
    method: 'POST',
    path: '/v1/users/:name/keys',
    summary: 'Gives a user another access key; what is not given is made up',
    body: object(givenKey, []),
    answer: newKey,
    status: 201,
    fails: ['NotFound', 'AlreadyExists', 'LimitExceeded', 'Conflict'],
    changes: lookAtUser,
    handler: async ({ users }, { parameters, body }) => {
      const name = parameters.name as string;
      return { status: 201, body: { user: name, ...(await users.createKey(name, body as GivenKey)) } };
    },
  },
  {
    name: 'DisableKey',
    method: 'POST',
    path: '/v1/users/:name/keys/:accessKeyId/disable',
    summary: 'Requests signed with the key are refused from then on',
    answer: nothing,
    fails: ['NotFound', 'Conflict'],
    changes: lookAtUser,
    handler: async ({ users }, { parameters }) => {
      await users.disableKey(parameters.name as string, parameters.accessKeyId as string);
      return { status: 200, body: {} };
    },
  },
];

function userView(info: UserInfo) {
  return {
    name: info.name,
    policy: info.policy,
    created: timeView(info.createdMs),
    keys: info.keys.map(({ accessKeyId, createdMs, disabled }) => ({
      accessKeyId,
      created: timeView(createdMs),
      disabled,
    })),
  };
}

/** The root user was never created: it has no time. */
function timeView(ms: number | undefined): string | undefined {
  return ms === undefined || ms === 0 ? undefined : new Date(ms).toISOString();
}
