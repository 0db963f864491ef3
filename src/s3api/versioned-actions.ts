import type { S3Request } from './call.ts';

/** The actions that have another name where the request names a version. Source: Service Authorization Reference, "Amazon S3". */
const ofVersions: ReadonlyMap<string, string> = new Map([
  ['s3:DeleteObject', 's3:DeleteObjectVersion'],
  ['s3:DeleteObjectTagging', 's3:DeleteObjectVersionTagging'],
  ['s3:GetObject', 's3:GetObjectVersion'],
  ['s3:GetObjectAcl', 's3:GetObjectVersionAcl'],
  ['s3:GetObjectAttributes', 's3:GetObjectVersionAttributes'],
  ['s3:GetObjectTagging', 's3:GetObjectVersionTagging'],
  ['s3:PutObjectAcl', 's3:PutObjectVersionAcl'],
  ['s3:PutObjectTagging', 's3:PutObjectVersionTagging'],
]);

/** The action that a request needs the right to. */
export function actionFor(action: string, { query }: Pick<S3Request, 'query'>): string {
  return query.size > 0 && query.has('versionId') ? (ofVersions.get(action) ?? action) : action;
}
