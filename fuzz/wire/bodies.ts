const xml = (root: string, inner: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?><${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inner}</${root}>`;

const tags =
  '<TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b c</Key><Value></Value></Tag></TagSet>';
const owner = '<Owner><ID>root</ID><DisplayName>root</DisplayName></Owner>';
const grantee =
  '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>root</ID></Grantee>';
const group =
  '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee>';
const acl = xml(
  'AccessControlPolicy',
  `${owner}<AccessControlList><Grant>${grantee}<Permission>FULL_CONTROL</Permission></Grant><Grant>${group}<Permission>READ</Permission></Grant></AccessControlList>`,
);
const policy = JSON.stringify({
  Version: '2012-10-17',
  Id: 'p',
  Statement: [
    {
      Sid: 's',
      Effect: 'Allow',
      Principal: { AWS: ['*'] },
      Action: ['s3:GetObject', 's3:List*'],
      Resource: ['arn:aws:s3:::fuzz-bodies/*', 'arn:aws:s3:::fuzz-bodies'],
      Condition: { StringLike: { 's3:prefix': ['a/*'] }, IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } },
    },
    {
      Effect: 'Deny',
      Principal: '*',
      NotAction: 's3:*',
      Resource: '*',
      Condition: { Bool: { 'aws:SecureTransport': 'false' } },
    },
  ],
});

/** The documents that S3's operations take, as they are right (S3 API Reference, "Request Syntax" of each). */
export const bodies: Readonly<Record<string, readonly string[]>> = {
  CreateBucket: ['', xml('CreateBucketConfiguration', '<LocationConstraint>us-east-1</LocationConstraint>')],
  DeleteObjects: [
    xml('Delete', '<Object><Key>scratch</Key></Object><Object><Key>none</Key></Object><Quiet>true</Quiet>'),
    xml('Delete', '<Object><Key>scratch</Key><VersionId>null</VersionId><ETag>"x"</ETag></Object>'),
  ],
  CompleteMultipartUpload: [
    xml(
      'CompleteMultipartUpload',
      '<Part><PartNumber>1</PartNumber><ETag>"0123456789abcdef0123456789abcdef"</ETag></Part>',
    ),
  ],
  PutObjectTagging: [xml('Tagging', tags)],
  PutBucketTagging: [xml('Tagging', tags)],
  PutObjectAcl: [acl],
  PutBucketAcl: [acl],
  PutBucketPolicy: [policy],
  PutBucketCors: [
    xml(
      'CORSConfiguration',
      '<CORSRule><ID>r</ID><AllowedOrigin>http://*.example.com</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedHeader>*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>',
    ),
  ],
  PutBucketVersioning: [
    xml('VersioningConfiguration', '<Status>Enabled</Status>'),
    xml('VersioningConfiguration', '<Status>Suspended</Status>'),
  ],
  PutBucketOwnershipControls: [
    xml('OwnershipControls', '<Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>'),
  ],
  PutBucketRequestPayment: [xml('RequestPaymentConfiguration', '<Payer>BucketOwner</Payer>')],
  PutBucketLogging: [xml('BucketLoggingStatus', '')],
  PutBucketLifecycleConfiguration: [
    xml(
      'LifecycleConfiguration',
      '<Rule><ID>x</ID><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>',
    ),
  ],
  PutPublicAccessBlock: [xml('PublicAccessBlockConfiguration', '<BlockPublicAcls>true</BlockPublicAcls>')],
  PutObject: ['', 'some bytes'],
  UploadPart: ['some bytes'],
};
