import { privateGrants } from '../acl.ts';
import { aclXml } from '../acl-xml.ts';
import type { Call, S3Response } from '../call.ts';
import { type AnswerHeaders, versionIdHeader } from '../headers.ts';
import { objectOf, versionIdOf } from '../request.ts';
import { xmlResponse } from '../xml.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html */
export async function getObjectAcl({ request, service, signal, gate }: Call): Promise<S3Response> {
  const ref = objectOf(request);
  const bucket = await service.getBucket(ref.bucket);
  const asked = { gate, signal, versionId: versionIdOf(request) };
  const { meta, versionId } = await service.headObject(ref, asked);
  const kept = bucket.access?.ownership === 'BucketOwnerEnforced' ? undefined : meta.access;
  const owner = kept?.owner ?? bucket.owner;
  const answer = xmlResponse(aclXml(owner, kept?.grants ?? privateGrants(owner)));
  const named: AnswerHeaders = versionId === undefined ? {} : { [versionIdHeader]: versionId };
  return { ...answer, headers: { ...answer.headers, ...named } };
}
