// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are pieces of source code
import type { PlantedDefect } from './planted-defects.ts';

/** What `npm run fuzz` claims to find: each by the fuzzer named, within so many cases of the first seed. Tried only when a name asks for it. */
export const plantedFuzzDefects: readonly PlantedDefect[] = [
  {
    name: 'fuzz: a key is lost between two pages of a list',
    file: 'src/ufs/grouping.ts',
    right: 'folded === undefined ? `${after}\\0`',
    wrong: 'folded === undefined ? `${after}!`',
    foundBy: { fuzzer: 'lists', cases: 120 },
  },
  {
    name: 'fuzz: uploads of one key are listed in any order',
    file: 'src/ufs/upload-ids.ts',
    right: 'Math.max(this.clock.nowMs(), this.lastMs + 1)',
    wrong: 'Math.floor(this.random.next() * 2 ** 40)',
    foundBy: { fuzzer: 'lists', cases: 100 },
  },
  {
    name: 'fuzz: a common prefix is encoded otherwise than keys',
    file: 'src/s3api/listing.ts',
    right: "return element('CommonPrefixes', [names.write('Prefix', key)]);",
    wrong: "return element('CommonPrefixes', [textElement('Prefix', key)]);",
    foundBy: { fuzzer: 'lists', cases: 100 },
  },
  {
    name: 'fuzz: a range ends a byte early',
    file: 'src/s3api/range.ts',
    right: 'return lastByte < start ? undefined : { start, end: lastByte + 1 };',
    wrong: 'return lastByte < start ? undefined : { start, end: lastByte };',
    foundBy: { fuzzer: 'decoders', cases: 50 },
  },
  {
    name: 'fuzz: a chunk more than was announced is taken',
    file: 'src/auth/chunked-body.ts',
    right: 'const over = this.receivedBytes > this.format.sizeBytes;',
    wrong: 'const over = this.receivedBytes > this.format.sizeBytes + 1;',
    foundBy: { fuzzer: 'decoders', cases: 100 },
  },
  {
    name: 'fuzz: an unknown entity is text',
    file: 'src/s3api/xml-reader.ts',
    right: "if (character === undefined) throw new S3Error('MalformedXML');",
    wrong: 'if (character === undefined) throw new TypeError(whole);',
    foundBy: { fuzzer: 'decoders', cases: 600 },
  },
  {
    name: 'fuzz: a plus that was signed as itself is taken for a space',
    file: 'src/common/sigv4.ts',
    right: '} else if (byte === 0x2b && plusIsSpace) {',
    wrong: '}\n    if (byte === 0x2b && plusIsSpace) {',
    foundBy: { fuzzer: 'signatures', cases: 400 },
  },
  {
    name: 'fuzz: parameters without a value are not signed',
    file: 'src/common/sigv4.ts',
    right: ".filter(([name]) => name !== 'X-Amz-Signature')",
    wrong: ".filter(([name, value]) => name !== 'X-Amz-Signature' && value !== '')",
    foundBy: { fuzzer: 'signatures-botocore', cases: 400 },
  },
  {
    name: 'fuzz: the ETag of parts is that of their text',
    file: 'src/ufs/multipart-rules.ts',
    right: "for (const part of parts) hash.update(Buffer.from(part.etag, 'hex'));",
    wrong: 'for (const part of parts) hash.update(part.etag);',
    foundBy: { fuzzer: 'root-moto', cases: 30 },
  },
  {
    name: 'fuzz: If-Match is ignored where something is copied',
    file: 'src/s3api/conditions.ts',
    right: "if (verdict !== 'holds') throw preconditionFailed(verdict.failed);\n}",
    wrong: "if (verdict !== 'holds' && verdict.notModified) throw preconditionFailed(verdict.failed);\n}",
    foundBy: { fuzzer: 'root-s3proxy', cases: 80 },
  },
  {
    name: 'fuzz: a copy within a mount keeps the metadata that was to be replaced',
    file: 'src/ufs/s3-write.ts',
    right: "'x-amz-metadata-directive': options.replace ? 'REPLACE' : 'COPY',",
    wrong: "'x-amz-metadata-directive': 'COPY',",
    foundBy: { fuzzer: 'mount-moto', cases: 25 },
  },
  {
    name: 'fuzz: an authorization that is malformed is a fault of the server',
    file: 'src/auth/signature-claim.ts',
    right: 'if (!credential) throw headerMalformed(',
    wrong: 'if (!credential) throw new TypeError(',
    foundBy: { fuzzer: 'wire', cases: 1_500 },
  },
  {
    name: 'fuzz: a list of deletions without a key is a fault of the server',
    file: 'src/s3api/operations/delete-objects.ts',
    right: "if (texts.Key === undefined || texts.Key === '') throw new S3Error('MalformedXML');",
    wrong: "if (texts.Key === undefined || texts.Key === '') throw new TypeError('no key');",
    foundBy: { fuzzer: 'bodies', cases: 2_500 },
  },
];
