import type { Command, Invocation, Option } from '../command.ts';
import { CommandError } from '../errors.ts';
import { readSecretOption, secretOptions } from '../secret-option.ts';
import { columns } from '../text.ts';
import { callAdmin, show } from './shared.ts';

interface Key {
  readonly accessKeyId: string;
  readonly created?: string;
  readonly disabled: boolean;
}
interface User {
  readonly name: string;
  readonly policy: string;
  readonly created?: string;
  readonly keys: readonly Key[];
}
interface NewKey {
  readonly user: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const keyOptions: readonly Option[] = [
  { flag: '--access-key-id', placeholder: 'ID', meaning: 'The access key (default: made up)' },
  {
    flag: '--secret-access-key',
    placeholder: 'SECRET',
    meaning: 'Its secret (default: made up); others on this machine can see arguments',
  },
  ...secretOptions,
];

/** `forebay user …` */
export const userCommands: readonly Command[] = [
  {
    words: ['user', 'create'],
    arguments: ['NAME'],
    options: [
      {
        flag: '--policy',
        placeholder: 'admin|readwrite|readonly',
        meaning: 'What the user may do',
        required: true,
      },
      ...keyOptions,
    ],
    summary: 'Create a user with an access key',
    run: async (invocation) => {
      const created = await callAdmin<NewKey>(invocation, 'POST', '/v1/users', {
        name: invocation.arguments.NAME,
        policy: invocation.options.get('--policy'),
        ...(await givenKey(invocation)),
      });
      printNewKey(invocation, created);
      return 0;
    },
  },
  {
    words: ['user', 'list'],
    arguments: [],
    options: [],
    summary: 'List users and their access keys',
    run: async (invocation) => {
      const { users } = await callAdmin<{ users: User[] }>(invocation, 'GET', '/v1/users');
      const rows = users.map(({ name, policy, keys }) => [name, policy, keys.map(keyText).join(' ')]);
      show(invocation, users, columns([['NAME', 'POLICY', 'ACCESS KEYS'], ...rows]));
      return 0;
    },
  },
  {
    words: ['user', 'show'],
    arguments: ['NAME'],
    options: [],
    summary: 'Show one user',
    run: async (invocation) => {
      const user = await callAdmin<User>(invocation, 'GET', userPath(invocation));
      const rows = [
        ['name', user.name],
        ['policy', user.policy],
        ['created', user.created ?? 'by the settings'],
        ...user.keys.map((key) => ['access key', keyText(key)]),
      ];
      show(invocation, user, columns(rows));
      return 0;
    },
  },
  {
    words: ['user', 'delete'],
    arguments: ['NAME'],
    options: [],
    summary: 'Delete a user that owns no bucket',
    run: async (invocation) => {
      await callAdmin(invocation, 'DELETE', userPath(invocation));
      const { NAME: name } = invocation.arguments;
      show(invocation, { deleted: name }, [`deleted the user ${name}`]);
      return 0;
    },
  },
  {
    words: ['user', 'key', 'create'],
    arguments: ['NAME'],
    options: keyOptions,
    summary: 'Give a user another access key',
    run: async (invocation) => {
      const path = `${userPath(invocation)}/keys`;
      printNewKey(invocation, await callAdmin<NewKey>(invocation, 'POST', path, await givenKey(invocation)));
      return 0;
    },
  },
  {
    words: ['user', 'key', 'disable'],
    arguments: ['NAME', '[ACCESS_KEY_ID]'],
    options: [
      {
        flag: '--access-key-id',
        placeholder: 'ID',
        meaning: 'Which key; not needed if the user has one that is not disabled',
      },
    ],
    summary: "Disable one of a user's access keys",
    run: async (invocation) => {
      const id = await keyToDisable(invocation);
      await callAdmin(invocation, 'POST', `${userPath(invocation)}/keys/${encodeURIComponent(id)}/disable`);
      show(invocation, { disabled: id }, [`disabled the access key ${id}`]);
      return 0;
    },
  },
];

async function givenKey(invocation: Invocation): Promise<{ accessKeyId?: string; secretAccessKey?: string }> {
  const accessKeyId = invocation.options.get('--access-key-id');
  return { accessKeyId, secretAccessKey: await readSecretOption(invocation) };
}

async function keyToDisable(invocation: Invocation): Promise<string> {
  const given = invocation.arguments.ACCESS_KEY_ID ?? invocation.options.get('--access-key-id');
  if (given !== undefined) return given;
  const user = await callAdmin<User>(invocation, 'GET', userPath(invocation));
  const enabled = user.keys.filter((key) => !key.disabled);
  const [only] = enabled;
  if (only && enabled.length === 1) return only.accessKeyId;
  if (!only) throw new CommandError(`${user.name} has no access key that is not disabled`);
  const ids = enabled.map((key) => key.accessKeyId).join(', ');
  throw new CommandError(`${user.name} has several access keys, say which: ${ids}`);
}

function userPath(invocation: Invocation): string {
  return `/v1/users/${encodeURIComponent(invocation.arguments.NAME ?? '')}`;
}

function printNewKey(invocation: Invocation, created: NewKey): void {
  const rows = [
    ['user', created.user],
    ['access key', created.accessKeyId],
    ['secret key', created.secretAccessKey],
  ];
  show(invocation, created, [...columns(rows), 'The secret is shown this once.']);
}

function keyText(key: Key): string {
  return key.disabled ? `${key.accessKeyId} (disabled)` : key.accessKeyId;
}
