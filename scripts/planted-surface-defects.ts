// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are pieces of source code
import type { PlantedDefect } from './planted-defects.ts';

const contracts = ['test/ufs/memory'];

/** Answers that S3 would not give: checksums, tags. */
export const plantedSurfaceDefects: readonly PlantedDefect[] = [
  {
    name: 'a checksum made of the parts’ is taken for one of the bytes',
    file: 'src/ufs/multipart-rules.ts',
    right: "const value = checksumOfParts(parts, algorithm, type ?? 'FULL_OBJECT');",
    wrong: "const value = checksumOfParts(parts, algorithm, 'COMPOSITE');",
    foundBy: contracts,
  },
  {
    name: 'a checksum that is made of a range is told of the object',
    file: 'src/s3api/operations/get-object.ts',
    right: 'if (!Buffer.isBuffer(bytes) || bytes.length !== meta.sizeBytes ||',
    wrong: 'if (!Buffer.isBuffer(bytes) ||',
    foundBy: ['test/s3api/operations/read-objects'],
  },
  {
    name: 'a checksum of the whole goes with a range',
    file: 'src/s3api/representation.ts',
    right: ': isWhole(range, meta) && meta;',
    wrong: ': meta;',
    foundBy: ['test/s3api/operations/read-objects'],
  },
  {
    name: 'a part of a composite checksum is completed unseen',
    file: 'src/ufs/multipart-rules.ts',
    right: "if ((checksumType ?? defaultChecksumType(created)) === 'FULL_OBJECT') return undefined;",
    wrong: 'if (created) return undefined;',
    foundBy: contracts,
  },
  {
    name: 'a part comes with another checksum than its upload was created with',
    file: 'src/ufs/part-checksums.ts',
    right: 'sent !== undefined && sent !== created',
    wrong: 'sent !== undefined && sent === undefined',
    foundBy: contracts,
  },
  {
    name: 'a tag is lost on a copy',
    file: 'src/ufs/root-objects.ts',
    right: 'tags: options.tags ?? current.tags };',
    wrong: 'tags: options.tags };',
    foundBy: ['test/ufs/root.test'],
  },
  {
    name: 'tags stay behind where a copy goes to other storage',
    file: 'src/gateway/object-service.ts',
    right: '(meta.tagCount\n',
    wrong: '(meta.tagCount === -1\n',
    foundBy: ['test/gateway/tags'],
  },
  {
    name: 'tags are told from metadata of before they changed',
    file: 'src/ufs/memory.ts',
    right: 'meta: { ...meta, ...tagCountOf(tags), ...keptAccess(change.access ?? access) },',
    wrong: 'meta: { ...present.meta, ...keptAccess(change.access ?? access) },',
    foundBy: ['test/gateway/tags', 'test/ufs/memory'],
  },
  {
    name: 'a key is lost between two pages of an encoded list',
    file: 'src/s3api/percent.ts',
    right: "if (c === '%20') return '+';",
    wrong: "if (c === '%20') return '%2B';",
    foundBy: ['test/s3api/operations/lists'],
  },
  {
    name: 'If-None-Match is passed over at Complete',
    file: 'src/s3api/operations/complete-multipart-upload.ts',
    right: 'const condition = parseWriteCondition(request.headers);',
    wrong: 'const condition = undefined;',
    foundBy: ['test/s3api/operations/multipart'],
  },
  {
    name: 'a trailer’s line that ends in LF ends the list of them',
    file: 'src/auth/trailer-lines.ts',
    right: "if (line === '\\r\\n' && this.owesEnd) {",
    wrong: "if (line === '\\r\\n' && !this.owesEnd && this.values.size > 1) {",
    foundBy: ['test/auth/chunked-body'],
  },
  {
    name: 'a part whose upload was forgotten is copied as a whole object',
    file: 'src/s3api/operations/copy-object.ts',
    right: '  refusePartNumber(request);\n',
    wrong: '',
    foundBy: ['test/s3api/operations/write-objects'],
  },
  {
    name: 'a 405 allows what it does not',
    file: 'src/s3api/router.ts',
    right: 'of === scope &&',
    wrong: '',
    foundBy: ['test/s3api/router'],
  },
  {
    name: 'a byte of a tree’s record that changed is believed',
    file: 'src/ufs/tree-records.ts',
    right: "if (!isFirstLayout && bytes.toString('latin1', 0, 9) !== `${checksumOf(json)} `) return [];",
    wrong: '',
    foundBy: ['test/ufs/tree.test'],
  },
  {
    name: 'a file in the place of a folder ends a list of the root',
    file: 'src/ufs/kept-directories.ts',
    right: "if (isErrno(error, 'ENOTDIR')) this.obstructed(path, error);",
    wrong: "if (isErrno(error, 'EISDIR')) this.obstructed(path, error);",
    foundBy: ['test/ufs/root-damage'],
  },
];
