// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are pieces of source code
import { plantedAccessDefects } from './planted-access-defects.ts';
import { plantedAdmissionDefects } from './planted-admission-defects.ts';
import { plantedChaosDefects } from './planted-chaos-defects.ts';
import { plantedConformanceDefects } from './planted-conformance-defects.ts';
import { plantedEtcdDefects } from './planted-etcd-defects.ts';
import { plantedEvasionDefects } from './planted-evasion-defects.ts';
import { plantedFreshnessDefects } from './planted-freshness-defects.ts';
import { plantedFuzzDefects } from './planted-fuzz-defects.ts';
import { plantedGcsDefects } from './planted-gcs-defects.ts';
import { plantedHandOffDefects } from './planted-hand-off-defects.ts';
import { plantedHdfsDefects } from './planted-hdfs-defects.ts';
import { plantedJobDefects } from './planted-job-defects.ts';
import { plantedLookDefects } from './planted-look-defects.ts';
import { plantedPeerDefects } from './planted-peer-defects.ts';
import { plantedPendingDefects } from './planted-pending-defects.ts';
import { plantedPolicyDefects } from './planted-policy-defects.ts';
import { plantedReadAheadDefects } from './planted-read-ahead-defects.ts';
import { plantedRingDefects } from './planted-ring-defects.ts';
import { plantedS3Defects } from './planted-s3-defects.ts';
import { plantedSetDefects } from './planted-set-defects.ts';
import { plantedSoakDefects } from './planted-soak-defects.ts';
import { plantedStoreDefects } from './planted-store-defects.ts';
import { plantedSurfaceDefects } from './planted-surface-defects.ts';
import { plantedThreadDefects } from './planted-thread-defects.ts';
import { plantedUploadDefects } from './planted-upload-defects.ts';
import { plantedVersionDefects } from './planted-version-defects.ts';

/** The first cases of a fuzzer's first seed. */
export interface FuzzerCases {
  readonly fuzzer: string;
  readonly cases: number;
}

/** Cases of a client's suite, over the node's own `file://`. */
export interface SuiteCases {
  readonly suite: string;
  /** What `npm run conformance -- SUITE --only …` takes. */
  readonly only: string;
}

/** A campaign against a cluster. */
export interface ChaosSeed {
  readonly seed: number;
  readonly seconds: number;
  /** Further words for `npm run chaos`. */
  readonly more?: readonly string[];
  /** It is one of `npm run chaos:pending`. */
  readonly pending?: true;
}

/** A defect that is planted into a copy of the source, and the tests that claim to find it. */
export interface PlantedDefect {
  readonly name: string;
  /** The file that is changed, from the repository's root. */
  readonly file: string;
  /** Text that occurs exactly once in it. */
  readonly right: string;
  /** What stands there instead. */
  readonly wrong: string;
  /** Jest's patterns of the test files of which one must fail; or a short soak, a fuzzer, a client's suite, or a campaign, which are slow. */
  readonly foundBy: readonly string[] | 'soak' | FuzzerCases | SuiteCases | ChaosSeed;
}

const bodies = ['test/auth/upload-body', 'test/hostile/bodies'];
const matrix = ['test/gateway/auth-matrix'];

/** What could break unseen, one row each: signatures, bodies, lists, conditions, freshness, durability. */
export const plantedDefects: readonly PlantedDefect[] = [
  {
    name: 'a wrong checksum in a trailer is accepted',
    file: 'src/auth/upload-body.ts',
    right: "if (this.digest(algorithm).toString('base64') !== expected) {",
    wrong: 'if (this.digest(algorithm).length === 0) {',
    foundBy: bodies,
  },
  {
    name: 'a chunk is not compared with its signature',
    file: 'src/auth/chunked-body.ts',
    right: 'if (!signing.key.matches(text, this.claimedSignature))',
    wrong: 'if (this.claimedSignature.length !== 64)',
    foundBy: bodies,
  },
  {
    name: 'a signed trailer is not compared with its signature',
    file: 'src/auth/chunked-body.ts',
    right: "if (!signing.key.matches(text, this.trailers.signature ?? '')) {",
    wrong: 'if (text.length === 0) {',
    foundBy: bodies,
  },
  {
    name: 'the last bytes are handed on before the checksum holds',
    file: 'src/auth/upload-body.ts',
    right: 'if (pendingBytes >= gatheredBytes && receivedBytes < this.sizeBytes) {',
    wrong: 'if (pendingBytes > 0) {',
    foundBy: ['test/auth/upload-body'],
  },
  {
    name: 'a body that ends early is taken for whole',
    file: 'src/auth/upload-body.ts',
    right: "if (receivedBytes < this.sizeBytes) throw new S3Error('IncompleteBody');",
    wrong: '',
    foundBy: bodies,
  },
  {
    name: 'a delete with a condition succeeds if the object is gone meanwhile',
    file: 'src/ufs/root-objects.ts',
    right: 'if (!condition && !versioning && !(await this.commits.present(key))) return {};',
    wrong: 'if (!versioning && !(await this.commits.present(key))) return {};',
    foundBy: ['test/ufs/root.test'],
  },
  {
    name: 'an absolute target names a bucket that was not signed',
    file: 'src/s3api/path.ts',
    right: 'if (absolute && absolute[1] !== hostHeader) {',
    wrong: "if (absolute && absolute[1] === '') {",
    foundBy: ['test/s3api/path'],
  },
  {
    name: 'a disabled key still signs',
    file: 'src/auth/authenticate.ts',
    right: 'if (!credential || credential.disabled) {',
    wrong: 'if (!credential) {',
    foundBy: matrix,
  },
  {
    name: 'an expired link still opens',
    file: 'src/auth/authenticate.ts',
    right: 'this.checkExpiry(claim, entry);',
    wrong: '',
    foundBy: matrix,
  },
  {
    name: 'credentials in a header and in the query at once are accepted',
    file: 'src/auth/authenticate.ts',
    right:
      "if (presigned || isRepeated(request.rawHeaders, 'authorization')) throw oneMechanismOnly(authorization);",
    wrong: '',
    foundBy: matrix,
  },
  {
    name: 'a reader may write',
    file: 'src/auth/access.ts',
    right: "if (identity.policy === 'readonly' && !reads.test(action)) return",
    wrong: "if (identity.policy === 'readonly' && action === '') return",
    foundBy: ['test/auth/access', ...matrix],
  },
  {
    name: 'everyone owns every bucket',
    file: 'src/auth/access.ts',
    right: "return policy === 'admin' || (policy === 'readwrite' && bucket.owner === userName);",
    wrong: "return policy === 'admin' || policy === 'readwrite';",
    foundBy: ['test/auth/access', ...matrix],
  },
  {
    name: 'the body is asked for before its request is authorised',
    file: 'src/gateway/handle-request.ts',
    right: 'progress.userName = authenticated.identity.userName;',
    wrong: 'progress.body.accept(authenticated); progress.body.upload()[Symbol.asyncIterator]().next();',
    foundBy: ['test/hostile/refused-before-the-body'],
  },
  {
    name: 'a key is lost between two pages of a list',
    file: 'src/ufs/grouping.ts',
    right: 'folded === undefined ? `${after}\\0`',
    wrong: 'folded === undefined ? `${after}\\u0001`',
    foundBy: ['test/ufs/memory', 'test/ufs/root', 'test/ufs/grouping'],
  },
  {
    name: 'a merged list shows what a nested mount hides',
    file: 'src/gateway/list-merge.ts',
    right: 'if (hiddenBy !== undefined) {',
    wrong: "if (hiddenBy === '') {",
    foundBy: ['test/gateway/list-merge'],
  },
  {
    name: 'a suffix range begins one byte late',
    file: 'src/s3api/range.ts',
    right: 'Math.max(0, sizeBytes - lastBytes)',
    wrong: 'Math.max(0, sizeBytes - lastBytes + 1)',
    foundBy: ['test/s3api/range'],
  },
  {
    name: 'a condition is looked at early, and no more at the change',
    file: 'src/ufs/root-commits.ts',
    right: `checkSignal(options.signal, this.uri, key);
      this.check(key, options.condition, previous);
      const known = currentOf(previous);
      const last`,
    wrong: `checkSignal(options.signal, this.uri, key);
      const known = currentOf(previous);
      const last`,
    foundBy: ['test/ufs/root'],
  },
  {
    name: 'a directory is not synced after an object was removed from it',
    file: 'src/ufs/root-commits.ts',
    right: `    this.folders.changed(dirname(path));
    await this.fs.syncDirectory(dirname(path));`,
    wrong: '    this.folders.changed(dirname(path));',
    foundBy: ['test/ufs/crash'],
  },
  {
    name: 'a record is believed whatever its checksum is',
    file: 'src/ufs/root-record.ts',
    right: "line[8] === 0x20 && line.toString('latin1', 0, 8) === checksumOf(json)",
    wrong: 'line[8] === 0x20',
    foundBy: ['test/ufs/root-damage'],
  },
  {
    name: 'pages of two generations have one name',
    file: 'src/worker/page-key.ts',
    right: '\\0${key.generation}\\0',
    wrong: '\\0',
    foundBy: ['test/worker'],
  },
  ...plantedRingDefects,
  ...plantedS3Defects,
  ...plantedGcsDefects,
  ...plantedHdfsDefects,
  ...plantedAccessDefects,
  ...plantedEvasionDefects,
  ...plantedSurfaceDefects,
  ...plantedFreshnessDefects,
  ...plantedAdmissionDefects,
  ...plantedHandOffDefects,
  ...plantedJobDefects,
  ...plantedLookDefects,
  ...plantedPeerDefects,
  ...plantedPendingDefects,
  ...plantedSetDefects,
  ...plantedUploadDefects,
  ...plantedPolicyDefects,
  ...plantedReadAheadDefects,
  ...plantedStoreDefects,
  ...plantedThreadDefects,
  ...plantedSoakDefects,
  ...plantedConformanceDefects,
  ...plantedVersionDefects,
  ...plantedChaosDefects,
  ...plantedEtcdDefects,
  ...plantedFuzzDefects,
];
