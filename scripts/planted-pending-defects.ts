import type { PlantedDefect } from './planted-defects.ts';

const journal = ['test/pending/journal'];
const campaign = ['test/pending/write-back-campaign'];
const backend = ['test/pending/write-back.test'];

/** Of changes that are acknowledged before their storage has them. */
export const plantedPendingDefects: readonly PlantedDefect[] = [
  {
    name: 'a change is acknowledged before the journal is synced',
    file: 'src/pending/segment-writer.ts',
    right: '      await current.file.sync();\n',
    wrong: '      void current.file.sync().catch(() => undefined);\n',
    foundBy: journal,
  },
  {
    name: 'a segment whose sync failed is written to again',
    file: 'src/pending/segment-writer.ts',
    right: 'if (current.durable > 0) return this.#seal();',
    wrong: 'if (current.durable > 0) return;',
    foundBy: journal,
  },
  {
    name: 'what failed to be appended counts when the journal is opened again',
    file: 'src/pending/segment-writer.ts',
    right: 'const { number, name, durable: count, offset: sizeBytes, file } = current;',
    wrong: 'const { number, name, count, offset: sizeBytes, file } = current;',
    foundBy: journal,
  },
  {
    name: 'a new segment is not in its directory for sure',
    file: 'src/pending/segment-writer.ts',
    right: 'if (isNew) await this.#fs.syncDirectory(this.#settings.directory);',
    wrong: '',
    foundBy: journal,
  },
  {
    name: 'a body is named by a record before it is in its directory for sure',
    file: 'src/pending/body-files.ts',
    right: '      await this.#fs.syncDirectory(this.#directory);\n',
    wrong: '',
    foundBy: journal,
  },
  {
    name: 'the bytes of a record are not compared with their checksum',
    file: 'src/pending/record-format.ts',
    right: 'return bytes.length === sizeBytes && (sizeBytes === 0 || crc32c(bytes) === expected);',
    wrong: 'return bytes.length === sizeBytes && expected >= 0;',
    foundBy: journal,
  },
  {
    name: 'the bytes of a body’s file are not compared with their checksums',
    file: 'src/pending/body-files.ts',
    right: 'if (crc32c(bytes.subarray(at, at + blockBytes)) !== table.readUInt32LE(4 * index)) {',
    wrong: 'if (bytes.length === 0) {',
    foundBy: journal,
  },
  {
    name: 'what is needed of a segment is forgotten with it',
    file: 'src/pending/compaction.ts',
    right: 'for (const entry of [...(this.#entries.get(oldest) ?? [])]) await this.#carry(entry);',
    wrong: 'this.#entries.delete(oldest);',
    foundBy: journal,
  },
  {
    name: 'a change that was sent is dropped for a later one of its key',
    file: 'src/pending/recovery.ts',
    right: 'if (condition === undefined && index < chain.length - 1) continue;',
    wrong: 'if (index < chain.length - 1) continue;',
    foundBy: journal,
  },
  {
    name: 'damage among what was durable is taken for a write that the power cut off',
    file: 'src/pending/recovery.ts',
    right: 'let count = durable;',
    wrong: 'let count = 0 * durable;',
    foundBy: journal,
  },
  {
    name: 'a pending write replaces whatever it finds at the storage',
    file: 'src/pending/persist-attempt.ts',
    right: '      access,\n      condition,\n',
    wrong: '      access,\n',
    foundBy: backend,
  },
  {
    name: 'the next write of a key goes out while an attempt of the one before may still land',
    file: 'src/pending/persister.ts',
    right: 'if (lurkingMs > 0) return lurkingMs;',
    wrong: '',
    foundBy: campaign,
  },
  {
    name: 'an attempt goes out that no restart would know of',
    file: 'src/pending/persist-attempt.ts',
    right: '  await journal.sent(entry, verdict.condition);\n',
    wrong: '',
    foundBy: campaign,
  },
  {
    name: 'a write that was sent gives way to a later one before it is resolved',
    file: 'src/pending/pending-chain.ts',
    right: 'if (last && last.sent === undefined && !last.isOver) {',
    wrong: 'if (last && !last.isOver) {',
    foundBy: campaign,
  },
  {
    name: 'a write is acknowledged before it is in the journal',
    file: 'src/pending/journal.ts',
    right: '    const placed = await this.#appended(head, body);\n',
    wrong:
      '    const pending = this.#appended(head, body);\n    pending.catch(() => undefined);\n    const placed = { segment: 1, body: { offset: 0, sizeBytes: 0, crc32c: 0 } };\n',
    foundBy: campaign,
  },
  {
    name: 'every version that is overwritten goes to the storage',
    file: 'src/pending/pending-chain.ts',
    right: 'if (last && last.sent === undefined && !last.isOver) {',
    wrong: 'if (last && last.sent === undefined && last.isGone) {',
    foundBy: backend,
  },
  {
    name: 'what others changed after an attempt went out is overwritten',
    file: 'src/pending/persist-attempt.ts',
    right: 'if (!isExpected && !overwrites)',
    wrong: 'if (!isExpected && overwrites)',
    foundBy: backend,
  },
  {
    name: 'what the storage decides itself bears no stamp',
    file: 'src/pending/through-writes.ts',
    right: 'const isNoted = entry && !ready.versioning && ready.stamp === undefined;',
    wrong: 'const isNoted = entry && ready.versioning && ready.stamp === undefined;',
    foundBy: backend,
  },
  {
    name: 'a change of our own that came late is taken for somebody else’s',
    file: 'src/pending/through-writes.ts',
    right: 'this.#chain.setUnsettled(key, this.#clock.monotonicMs() + settleMs);',
    wrong: 'this.#chain.setUnsettled(key, this.#clock.monotonicMs() - settleMs);',
    foundBy: backend,
  },
  {
    name: 'chaos:pending: a write is acknowledged before it is in the journal',
    file: 'src/pending/journal.ts',
    right: '    const placed = await this.#appended(head, body);\n',
    wrong:
      '    const pending = this.#appended(head, body);\n    pending.catch(() => undefined);\n    const placed = { segment: 1, body: { offset: 0, sizeBytes: 0, crc32c: 0 } };\n',
    foundBy: { seed: 1, seconds: 60, pending: true },
  },
  {
    name: 'chaos:pending: a write that was sent gives way to a later one before it is resolved',
    file: 'src/pending/pending-chain.ts',
    right: 'if (last && last.sent === undefined && !last.isOver) {',
    wrong: 'if (last && !last.isOver) {',
    foundBy: { seed: 1, seconds: 60, pending: true },
  },
  {
    name: 'chaos:pending: what is done is not remembered, and done again after a restart',
    file: 'src/pending/journal.ts',
    right: "    await this.#writer.append({ head: { type: 'done', stamp: entry.change.stamp } });\n",
    wrong: '',
    foundBy: { seed: 1, seconds: 60, pending: true },
  },
  {
    name: 'chaos:pending: bytes that lie in a file are not there after a restart',
    file: 'src/pending/journal.ts',
    right: 'const named = new Set(this.recovered.map(({ change }) => change.file));',
    wrong: 'const named = new Set<string>();',
    foundBy: { seed: 1, seconds: 60, pending: true },
  },
];
