import type { PlantedDefect } from './planted-defects.ts';

/** What the suites of other people's software claim to find. Tried only when a name asks for it. */
export const plantedConformanceDefects: readonly PlantedDefect[] = [
  {
    name: 'conformance: what the end of an upload asks of the key is passed over',
    file: 'src/s3api/operations/complete-multipart-upload.ts',
    right: 'const condition = parseWriteCondition(request.headers);',
    wrong: 'const condition = undefined;',
    foundBy: { suite: 's3a', only: 'ITestS3APutIfMatchAndIfNoneMatch' },
  },
  {
    name: 'conformance: the header of a magic marker is lost',
    file: 'src/s3api/headers.ts',
    right: 'userMetadata: parseUserMetadata(headers),',
    wrong:
      "userMetadata: parseUserMetadata({ ...headers, 'x-amz-meta-x-hadoop-s3a-magic-data-length': undefined }),",
    foundBy: { suite: 's3a', only: 'ITestMagicCommitProtocol' },
  },
  {
    name: 'conformance: markers of folders are not listed',
    file: 'src/ufs/grouping.ts',
    right: 'entries.push(item);',
    wrong: "if (!item.key.endsWith('/')) entries.push(item);",
    foundBy: { suite: 's3a', only: 'ITestS3AContractMkdir' },
  },
  {
    name: 'conformance: a put that asks that there be nothing overwrites',
    file: 'src/s3api/operations/put-object.ts',
    right: 'const condition = parseWriteCondition(request.headers);',
    wrong: 'const condition = undefined;',
    foundBy: { suite: 'deltalake', only: '2-5' },
  },
];
