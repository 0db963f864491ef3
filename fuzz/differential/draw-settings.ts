import { createHash } from 'node:crypto';
import type { Drawn } from './step.ts';
import type { World } from './world.ts';

interface Setting {
  readonly name: string;
  readonly parameter: string;
  readonly bodies: readonly string[];
  /** Whether it can be taken away. */
  readonly goes: boolean;
}

const tag = (key: string, value: string) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`;
const tagging = (...tags: string[]) => `<Tagging><TagSet>${tags.join('')}</TagSet></Tagging>`;
const rule = (origin: string, method: string) =>
  `<CORSRule><AllowedOrigin>${origin}</AllowedOrigin><AllowedMethod>${method}</AllowedMethod></CORSRule>`;
const cors = (...rules: string[]) => `<CORSConfiguration>${rules.join('')}</CORSConfiguration>`;
const ownership = (kind: string) =>
  `<OwnershipControls><Rule><ObjectOwnership>${kind}</ObjectOwnership></Rule></OwnershipControls>`;
const policy = (change: object) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: '*',
        Action: 's3:GetObject',
        Resource: 'arn:aws:s3:::fuzz-one/*',
        ...change,
      },
    ],
  });

const settings: readonly Setting[] = [
  {
    name: 'BucketTagging',
    parameter: 'tagging',
    bodies: [tagging(tag('a', '1')), tagging(tag('a', '1'), tag('b c', 'two words'))],
    goes: true,
  },
  {
    name: 'BucketCors',
    parameter: 'cors',
    bodies: [cors(rule('*', 'GET')), cors(rule('http://a.example', 'PUT'), rule('*', 'HEAD'))],
    goes: true,
  },
  {
    name: 'BucketPolicy',
    parameter: 'policy',
    bodies: [policy({}), policy({ Action: ['s3:GetObject', 's3:PutObject'] })],
    goes: true,
  },
  {
    name: 'BucketOwnershipControls',
    parameter: 'ownershipControls',
    bodies: [ownership('BucketOwnerPreferred'), ownership('ObjectWriter')],
    goes: true,
  },
];
const cannedAcls = ['private', 'public-read', 'public-read-write', 'authenticated-read'];

/** Sets, shows or takes away what a bucket has beside its objects. */
export function drawSetting(world: World): Drawn {
  const { draws } = world;
  const bucket = draws.chance(0.95) ? 'fuzz-one' : 'fuzz-none';
  if (draws.chance(0.3)) return drawAcl(world, bucket);
  const { name, parameter, bodies, goes } = draws.pick(settings.filter((one) => world.allows(one.name)));
  const query = [[parameter, '']] as const;
  const verb = draws.pick(goes ? ['Get', 'Get', 'Put', 'Put', 'Delete'] : ['Get', 'Put']);
  if (verb === 'Get') return { operation: `Get${name}`, method: 'GET', bucket, query };
  if (verb === 'Delete') return { operation: `Delete${name}`, method: 'DELETE', bucket, query };
  const body = draws.pick(bodies);
  const headers = { 'Content-MD5': createHash('md5').update(body).digest('base64') };
  return { operation: `Put${name}`, method: 'PUT', bucket, query, headers, body };
}

function drawAcl(world: World, bucket: string): Drawn {
  const { draws } = world;
  const isOfObject = draws.chance(0.4);
  const of = world.place();
  const place = isOfObject ? { bucket: of.bucket, key: of.key } : { bucket };
  const kind = isOfObject ? 'ObjectAcl' : 'BucketAcl';
  const query = [['acl', '']] as const;
  if (draws.chance(0.5)) return { operation: `Get${kind}`, method: 'GET', ...place, query };
  const headers = { 'x-amz-acl': draws.pick(cannedAcls) };
  return { operation: `Put${kind}`, method: 'PUT', ...place, query, headers };
}
