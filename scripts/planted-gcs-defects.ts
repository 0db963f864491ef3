// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are pieces of source code
import type { PlantedDefect } from './planted-defects.ts';

const contract = ['test/ufs/gcs-contract'];
const reads = ['test/ufs/gcs-faulty-reads'];
const writes = ['test/ufs/gcs-faulty-writes'];
const large = ['test/ufs/gcs-large-bodies'];
const probe = ['test/ufs/gcs-probe'];
const credentials = ['test/ufs/gcs-credentials'];

/** What could break unseen between this node and Cloud Storage. */
export const plantedGcsDefects: readonly PlantedDefect[] = [
  {
    name: 'GCS: a read does not name its generation',
    file: 'src/ufs/gcs-get.ts',
    right: "parameters: { alt: 'media', generation },",
    wrong: "parameters: { alt: 'media' },",
    foundBy: reads,
  },
  {
    name: 'GCS: an answer of another generation is believed',
    file: 'src/ufs/gcs-get.ts',
    right: "if (headers['x-goog-generation'] !== generation) {",
    wrong: "if (headers['x-goog-generation'] === '') {",
    foundBy: reads,
  },
  {
    name: 'GCS: an answer that ends early is taken for whole',
    file: 'src/ufs/answer-body.ts',
    right: 'if (passedBytes < carriedBytes) {',
    wrong: 'if (passedBytes < 0) {',
    foundBy: reads,
  },
  {
    name: 'GCS: a read that broke off begins anew',
    file: 'src/ufs/gcs-read.ts',
    right: 'new GcsGet(this.#connection, call, { start: at, end: range.end })',
    wrong: 'new GcsGet(this.#connection, call, range)',
    foundBy: reads,
  },
  {
    name: 'GCS: a put without a condition names no generation',
    file: 'src/ufs/gcs-replace.ts',
    right: "if (!this.#abilities[ability]) return 'anything';",
    wrong: "if (!this.#abilities[ability] || ability === 'conditionalPut') return 'anything';",
    foundBy: [...writes, ...contract],
  },
  {
    name: 'GCS: a delete names no generation',
    file: 'src/ufs/gcs-write.ts',
    right: 'const parameters = { ifGenerationMatch: generationMatch(expected) };',
    wrong: 'const parameters = { ifGenerationMatch: generationMatch(expected) && undefined };',
    foundBy: [...writes, ...contract],
  },
  {
    name: 'GCS: a rewrite names no generation of what it replaces',
    file: 'src/ufs/gcs-rewrite.ts',
    right: `          ifGenerationMatch: generationMatch(expected),
          rewriteToken,`,
    wrong: '          rewriteToken,',
    foundBy: [...probe, ...contract],
  },
  {
    name: 'GCS: a Complete names no generation of what it replaces',
    file: 'src/ufs/gcs-rewrite.ts',
    right: 'parameters: { ifGenerationMatch: generationMatch(expected), fields: objectFields },',
    wrong: 'parameters: { fields: objectFields },',
    foundBy: [...probe, ...contract],
  },
  {
    name: 'GCS: a lost answer is told as a failure though the object carries the stamp',
    file: 'src/ufs/gcs-replace.ts',
    right: 'stamp !== undefined && stampOf(present) === stamp',
    wrong: "stamp !== undefined && stampOf(present) === ''",
    foundBy: writes,
  },
  {
    name: 'GCS: a change that may come yet is forgotten',
    file: 'src/ufs/gcs-replace.ts',
    right: "if (outcome === 'open') this.#unresolved.add(key, replacedBy(expected));",
    wrong: '',
    foundBy: writes,
  },
  {
    name: 'GCS: a writer that others come before gives up at once',
    file: 'src/ufs/gcs-replace.ts',
    right: 'if (attempt === attempts) throw',
    wrong: 'if (attempt === 1) throw',
    foundBy: writes,
  },
  {
    name: 'GCS: a piece that broke off is sent again whole',
    file: 'src/ufs/gcs-upload.ts',
    right: '      at = there;',
    wrong: '      at = start;',
    foundBy: large,
  },
  {
    name: 'GCS: an upload that failed is not given up',
    file: 'src/ufs/gcs-upload.ts',
    right: 'await this.#cancel(call, session);',
    wrong: '',
    foundBy: large,
  },
  {
    name: 'GCS: bytes that came otherwise than they were sent make an object',
    file: 'src/ufs/gcs-write.ts',
    right: 'if (staged.crc32c === crc32cOf(body) && Number(staged.size) === body.sizeBytes) return staged;',
    wrong: 'if (Number(staged.size) === body.sizeBytes) return staged;',
    foundBy: large,
  },
  {
    name: 'GCS: the last piece goes up before the body was found right',
    file: 'src/ufs/gcs-body.ts',
    right: 'while (heldBytes > pieceBytes) {',
    wrong: 'while (heldBytes > pieceBytes || (heldBytes > 0 && passedBytes === body.sizeBytes)) {',
    foundBy: [...contract, ...large],
  },
  {
    name: 'GCS: a staged body is left behind',
    file: 'src/ufs/gcs-write.ts',
    right: 'this.#hidden.removeLater(name);',
    wrong: '',
    foundBy: contract,
  },
  {
    name: 'GCS: parts of an ended upload are left behind',
    file: 'src/ufs/gcs-multipart.ts',
    right: `await hidden.remove(recordName(uploadId)).catch(() => undefined);
    hidden.removeLater(uploadFolder(uploadId));`,
    wrong: 'await hidden.remove(recordName(uploadId)).catch(() => undefined);',
    foundBy: contract,
  },
  {
    name: 'GCS: groups of parts are composed in another order',
    file: 'src/ufs/gcs-compose.ts',
    right: 'Array.from({ length: count }, (_, index) =>',
    wrong: 'Array.from({ length: count }, (_, place) => count - 1 - place).map((index) =>',
    foundBy: large,
  },
  {
    name: 'GCS: of two parts with one number the older counts',
    file: 'src/ufs/gcs-parts.ts',
    right: 'BigInt(other.object.generation) < BigInt(object.generation)',
    wrong: 'BigInt(other.object.generation) > BigInt(object.generation)',
    foundBy: contract,
  },
  {
    name: 'GCS: a record is believed of other bytes',
    file: 'src/ufs/gcs-object.ts',
    right: 'if (record.crc32c === crc32c) return record;',
    wrong: 'if (crc32c) return record;',
    foundBy: reads,
  },
  {
    name: 'GCS: what is hidden is listed',
    file: 'src/ufs/gcs-list.ts',
    right: 'yield* found.filter(({ key }) => !key.startsWith(hiddenPrefix));',
    wrong: 'yield* found;',
    foundBy: [...contract, ...reads],
  },
  {
    name: 'GCS: a list goes through everything that is hidden',
    file: 'src/ufs/gcs-list.ts',
    right: 'start = behindHidden;\n        pageToken = undefined;',
    wrong: 'pageToken = page.nextPageToken;',
    foundBy: reads,
  },
  {
    name: 'GCS: a page begins with the marker of the one before',
    file: 'src/ufs/gcs-list.ts',
    right: 'compareUtf8(entry.key, after) <= 0',
    wrong: 'compareUtf8(entry.key, after) < 0',
    foundBy: contract,
  },
  {
    name: 'GCS: tags that two change at once are those of the slower alone',
    file: 'src/ufs/gcs-write.ts',
    right: '        ifMetagenerationMatch: present.metageneration,\n',
    wrong: '',
    foundBy: ['test/ufs/gcs-tags'],
  },
  {
    name: 'GCS: a probe believes a storage that passes preconditions by',
    file: 'src/ufs/gcs-probe.ts',
    right: 'await call();\n      return false;',
    wrong: 'await call();\n      return true;',
    foundBy: probe,
  },
  {
    name: 'GCS: credentials that were found go to any endpoint',
    file: 'src/ufs/gcs.ts',
    right: "return isGoogle ? wanted : { kind: 'anonymous' };",
    wrong: 'return wanted;',
    foundBy: credentials,
  },
  {
    name: 'GCS: credentials go over the network in the clear',
    file: 'src/ufs/gcs.ts',
    right: "if (wanted.kind === 'anonymous' || isUnreadWay(origin)) return wanted;",
    wrong: 'return wanted;',
    foundBy: credentials,
  },
  {
    name: 'limits: a reader that waits for its own client makes no room',
    file: 'src/ufs/limited.ts',
    right: `      permit?.pause();
      yield piece;`,
    wrong: '      yield piece;',
    foundBy: ['test/ufs/limited'],
  },
  {
    name: 'limits: what was passed before is not paid for',
    file: 'src/ufs/byte-rate.ts',
    right: 'Math.max(this.#paidMs, nowMs - burstSeconds * 1_000)',
    wrong: '(this.#paidMs = nowMs - burstSeconds * 1_000)',
    foundBy: ['test/ufs/limited'],
  },
];
