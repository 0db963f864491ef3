import type { PlantedDefect } from './planted-defects.ts';

const reads = ['test/ufs/s3-faulty-reads'];
const writes = ['test/ufs/s3-faulty-writes'];
const probe = ['test/ufs/s3-probe'];
const node = ['test/cli/s3-mount'];

/** What could break unseen between this node and another S3. */
export const plantedS3Defects: readonly PlantedDefect[] = [
  {
    name: 'S3: an answer that ends early is taken for whole',
    file: 'src/ufs/s3-read.ts',
    right: 'if (leftBytes > 0) throw',
    wrong: 'if (leftBytes > 1e15) throw',
    foundBy: reads,
  },
  {
    name: 'S3: an answer of another version is believed',
    file: 'src/ufs/s3-read.ts',
    right: 'found.rawEtag === version.rawEtag &&',
    wrong: '',
    foundBy: reads,
  },
  {
    name: 'S3: a fill does not name its version',
    file: 'src/ufs/s3-read.ts',
    right: "...(rawEtag.startsWith('W/') ? {} : { IfMatch: rawEtag }),",
    wrong: '',
    foundBy: node,
  },
  {
    name: 'S3: another range than the one asked for is believed',
    file: 'src/ufs/s3-read.ts',
    right: 'if (!right) throw',
    wrong: 'if (start < 0) throw',
    foundBy: reads,
  },
  {
    name: 'S3: a reader that stops leaves its connection open',
    file: 'src/ufs/s3-read.ts',
    right: 'body?.destroy();',
    wrong: '',
    foundBy: reads,
  },
  {
    name: 'S3: a read goes on after its first byte',
    file: 'src/ufs/s3-read.ts',
    right: 'if (chunks) yield* chunks;',
    wrong:
      'if (chunks) yield* this.#attempt(key, { ...wanted, start: wanted.start + (first.value?.length ?? 0) }, signal);',
    foundBy: reads,
  },
  {
    name: 'S3: what stands still is waited for',
    file: 'src/ufs/s3-deadline.ts',
    right: "if (leftMs <= 0) return this.#abort('timeout');",
    wrong: 'if (leftMs <= 0) return;',
    foundBy: reads,
  },
  {
    name: 'S3: a slow client counts as a backend that stands still',
    file: 'src/ufs/s3-deadline.ts',
    right: 'this.#paused = true;',
    wrong: 'this.#paused = false;',
    foundBy: writes,
  },
  {
    name: 'S3: the SDK repeats writes',
    file: 'src/ufs/s3-client.ts',
    right: 'maxAttempts: 1,',
    wrong: 'maxAttempts: 3,',
    foundBy: writes,
  },
  {
    name: 'S3: the last bytes go out before the body is found right',
    file: 'src/ufs/s3-body.ts',
    right: 'if (held) yield held;\n        held = next.value;',
    wrong: 'yield next.value;',
    foundBy: writes,
  },
  {
    name: 'S3: a lost answer counts as no effect',
    file: 'src/ufs/s3-errors.ts',
    right: 'if (failure.status === undefined) return code !== undefined && unreached.has(code);',
    wrong: 'if (failure.status === undefined) return true;',
    foundBy: writes,
  },
  {
    name: 'S3: a page of another kind is an empty list',
    file: 'src/ufs/s3-list.ts',
    right: 'if (sign === undefined) throw',
    wrong: 'if (sign === null) throw',
    foundBy: reads,
  },
  {
    name: 'S3: a write is acknowledged by what is no S3 server',
    file: 'src/ufs/s3-write.ts',
    right: 'if (!headers.etag) throw',
    wrong: "if (operation === '') throw",
    foundBy: writes,
  },
  {
    name: 'S3: any object is taken for what a lost Complete made',
    file: 'src/ufs/s3-multipart.ts',
    right: 'if (meta.etag !== expected) return undefined;',
    wrong: '',
    foundBy: writes,
  },
  {
    name: 'S3: complaints do not lower the limit',
    file: 'src/ufs/limit.ts',
    right: 'this.allowed = Math.max(this.settings.minimum, this.allowed / 2);',
    wrong: '',
    foundBy: ['test/ufs/limit'],
  },
  {
    name: 'S3: of several writers more than one may win',
    file: 'src/ufs/s3-probe.ts',
    right: 'return winners.length === 1 ? winners[0] : undefined;',
    wrong: 'return winners[0];',
    foundBy: probe,
  },
  {
    name: 'S3: a condition that was never tried is handed on',
    file: 'src/ufs/s3.ts',
    right: 'if (condition === undefined || this.capabilities[ability]) return;',
    wrong: 'if (key.length > 0 || condition === undefined || this.capabilities[ability]) return;',
    foundBy: probe,
  },
  {
    name: 'S3: a checksum that the client announces does not reach the backend',
    file: 'src/gateway/incoming-body.ts',
    right: 'return this.#body.announcedChecksum;',
    wrong: 'return undefined;',
    foundBy: node,
  },
];
