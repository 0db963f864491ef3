import type { BucketAccess } from '../../common/access-control.ts';
import type { Tag } from '../../common/object-meta.ts';
import type { Call, S3Response } from '../call.ts';
import { S3Error } from '../errors.ts';
import { type BucketName, bucketArn } from '../names.ts';
import { accessOfNewBucket } from '../new-bucket-access.ts';
import { refuseOnWrite } from '../refused-headers.ts';
import { bucketOf } from '../request.ts';
import { bucketTagRules, parseTagElements } from '../tagging.ts';
import { leafTexts, parseXml, type XmlElement } from '../xml-reader.ts';

const maxBodyBytes = 64 * 1024;
/** With all that S3 has for location, kind of bucket, and 50 tags. */
const maxElements = 200;

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html */
export async function createBucket(call: Call): Promise<S3Response> {
  const { request, caller, service } = call;
  refuseOnWrite(request.headers);
  const access = accessOfNewBucket(request.headers, caller.userName, call.isUser);
  const body = await call.text(maxBodyBytes);
  const tags = body === '' ? [] : parseConfiguration(body, call.region);
  const bucket = bucketOf(request);
  await service.createBucket(caller, bucket, access).catch(async (error: unknown) => {
    // In us-east-1 alone S3 answers so to an owner who creates a bucket again, and changes nothing but its ACL.
    const repeated = error instanceof S3Error && error.code === 'BucketAlreadyOwnedByYou';
    if (!repeated || call.region !== 'us-east-1' || tags.length > 0) throw error;
    await resetGrants(call, bucket, access?.grants);
  });
  if (tags.length > 0) await service.putBucketTags(bucket, tags);
  return { status: 200, headers: { location: `/${bucket}`, 'x-amz-bucket-arn': bucketArn(bucket) } };
}

/** The ACL becomes what a new bucket's would be. Where ACLs are off there is none to become anything. */
async function resetGrants(
  { service }: Call,
  bucket: BucketName,
  grants: BucketAccess['grants'],
): Promise<void> {
  const { access } = await service.getBucket(bucket);
  if (access?.ownership === 'BucketOwnerEnforced') return;
  if (access?.grants === undefined && grants === undefined) return;
  await service.changeBucketAccess(bucket, (present) => ({ ...present, grants }));
}

/** The tags that the bucket is to have. There is one region. A bucket that names none is in it. */
function parseConfiguration(body: string, region: string): readonly Tag[] {
  const configuration = parseXml(body, 'CreateBucketConfiguration', maxElements);
  for (const name of ['Location', 'Bucket']) {
    // These ask for directory buckets.
    if (configuration.children.some((child) => child.name === name)) throw new S3Error('NotImplemented');
  }
  const tags = configuration.children.filter((child) => child.name === 'Tags');
  const others = configuration.children.filter((child) => child.name !== 'Tags');
  if (tags.length > 1) throw new S3Error('MalformedXML');
  checkLocation({ ...configuration, children: others }, region);
  return parseTagElements(tags[0]?.children ?? [], bucketTagRules);
}

function checkLocation(configuration: XmlElement, region: string): void {
  const constraint = leafTexts(configuration, ['LocationConstraint']).LocationConstraint?.trim();
  if (constraint === undefined || constraint === region) return;
  if (constraint === 'EU' && region === 'eu-west-1') return;
  if (
    constraint === '' ||
    (region === 'us-east-1' && !/^(?:EU|[a-z]{2}(?:-[a-z]+)+-\d+)$/.test(constraint))
  ) {
    throw new S3Error('InvalidLocationConstraint', { extra: { LocationConstraint: constraint } });
  }
  throw new S3Error('IllegalLocationConstraintException', {
    message: `The ${constraint} location constraint is incompatible for the region specific endpoint this request was sent to.`,
  });
}
