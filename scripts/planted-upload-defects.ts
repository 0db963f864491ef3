import type { PlantedDefect } from './planted-defects.ts';

const uploads = ['test/pending/sets/uploads'];

/** Of uploads in parts whose parts lie with one of several nodes. */
export const plantedUploadDefects: readonly PlantedDefect[] = [
  {
    name: 'a short object that came in parts is copied as if it had a body of its own',
    file: 'src/pending/sets/copy-writer.ts',
    right: '(upload !== undefined || (meta?.sizeBytes ?? 0) > smallBytes)',
    wrong: '(meta?.sizeBytes ?? 0) > smallBytes',
    foundBy: uploads,
  },
  {
    name: 'nobody knows where an upload went',
    file: 'src/pending/sets/set-uploads.ts',
    right: '      await this.#moved.note({ chain, info: upload.info, movedTo });\n',
    wrong: '',
    foundBy: uploads,
  },
  {
    name: 'a set ends in which parts of uploads lie',
    file: 'src/pending/sets/kept-set.ts',
    right: ' || this.journal.uploads.count > 0) return false;',
    wrong: ') return false;',
    foundBy: uploads,
  },
  {
    name: 'a completed upload is under way until its copies are there',
    file: 'src/pending/journal.ts',
    right:
      '    await whenHere?.();\n    if (!copies) return entry;\n    try {\n      await copies.stored(entry, body);\n',
    wrong:
      '    if (!copies) await whenHere?.();\n    if (!copies) return entry;\n    try {\n      await copies.stored(entry, body);\n      await whenHere?.();\n',
    foundBy: uploads,
  },
  {
    name: 'an upload that another node has the parts of is looked for at the storage alone',
    file: 'src/pending/sets/set-uploads.ts',
    right:
      "    const [found] = await this.#ask({ ...upload, act: 'move' }, { timeoutMs: moveMs, signal });\n",
    wrong: '    const found = undefined as { movedTo?: string } | undefined;\n',
    foundBy: uploads,
  },
  {
    name: 'uploads are begun at the storage where another node owns what it is tried with',
    file: 'src/pending/sets/pending-sets.ts',
    right: '() => this.#trials.isFit(name, inner),',
    wrong:
      '() => this.#trials.isFit(name, guarded(inner, (key) => this.#checkMayPass(set, name, place, key))),',
    foundBy: uploads,
  },
  {
    name: 'the last step of an upload is taken by a node that does not keep the object any more',
    file: 'src/pending/send-parts.ts',
    right: '    check();\n    return await inner.completeUpload(',
    wrong: '    return await inner.completeUpload(',
    foundBy: uploads,
  },
  {
    name: 'who asks again for a Complete that is under way is told that there is no such upload',
    file: 'src/pending/back-uploads.ts',
    right: 'return uploads.exclusively(uploadId, () => this.#completedBefore(key, named, options));',
    wrong: 'return this.#completedBefore(key, named, options);',
    foundBy: uploads,
  },
  {
    name: 'an upload whose parts go to the storage counts as idle',
    file: 'src/pending/back-uploads.ts',
    right: '      uploads.touch(upload);\n',
    wrong: '',
    foundBy: uploads,
  },
  {
    name: 'where an upload went is noted though it has ended on the way',
    file: 'src/pending/sets/set-uploads.ts',
    right:
      '      if (!upload) return;\n      await this.#moved.note({ chain, info: upload.info, movedTo });\n',
    wrong:
      '      await this.#moved.note({ chain, info: upload?.info ?? ({ key, uploadId, initiatedMs: 0 } as never), movedTo });\n      if (!upload) return;\n',
    foundBy: uploads,
  },
];
