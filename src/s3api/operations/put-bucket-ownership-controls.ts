import { type ObjectOwnership, objectOwnerships } from '../../common/access-control.ts';
import type { Call, S3Response } from '../call.ts';
import { S3Error } from '../errors.ts';
import { bucketOf } from '../request.ts';
import { leafTexts, parseXml } from '../xml-reader.ts';

const maxBodyBytes = 16 * 1024;

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html */
export async function putBucketOwnershipControls(call: Call): Promise<S3Response> {
  const ownership = parseControls(await call.text(maxBodyBytes));
  await call.service.changeBucketAccess(bucketOf(call.request), (present) => {
    if (ownership === 'BucketOwnerEnforced' && present.grants !== undefined) {
      throw new S3Error('InvalidBucketAclWithObjectOwnership');
    }
    return { ...present, ownership };
  });
  return { status: 200, headers: {} };
}

/** MalformedXML. */
function parseControls(body: string): ObjectOwnership {
  const [rule, ...more] = parseXml(body, 'OwnershipControls', 4).children;
  if (rule?.name !== 'Rule' || more.length > 0) throw new S3Error('MalformedXML');
  const { ObjectOwnership: text } = leafTexts(rule, ['ObjectOwnership']);
  const ownership = objectOwnerships.find((known) => known === text?.trim());
  if (ownership === undefined) throw new S3Error('MalformedXML');
  return ownership;
}
