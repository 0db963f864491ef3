import type { PlantedDefect } from './planted-defects.ts';

const memory = ['test/worker/shared-cache'];

/** What could break unseen where several threads read what one writes. */
export const plantedThreadDefects: readonly PlantedDefect[] = [
  {
    name: 'a reader of shared memory does not pin what it reads',
    file: 'src/worker/shared-cache-view.ts',
    right: 'Atomics.add(this.pins, this.row + segment, 1);',
    wrong: '',
    foundBy: memory,
  },
  {
    name: 'a slot of shared memory is not looked at again after the pin',
    file: 'src/worker/shared-cache-view.ts',
    right: 'if (!this.isStill(slot, version) || !this.isKey(segment, offset)) {',
    wrong: 'if (!this.isKey(segment, offset)) {',
    foundBy: memory,
  },
  {
    name: 'the pins of a thread that died are kept',
    file: 'src/worker/shared-cache.ts',
    right: 'Atomics.store(this.pins, thread * row + i, 0)',
    wrong: 'Atomics.load(this.pins, thread * row + i)',
    foundBy: memory,
  },
  {
    name: 'a segment is written to while readers hold it',
    file: 'src/worker/segment-log.ts',
    right: 'if (this.isPinned(segment)) this.draining.push(segment);',
    wrong: 'if (segment < 0) this.draining.push(segment);',
    foundBy: memory,
  },
  {
    name: 'a lent piece of an answer is given back while the connection has it',
    file: 'src/gateway/response-writer.ts',
    right: '    res.write(chunk, done);\n',
    wrong: "    if (res.write(chunk)) done();\n    else res.once('drain', done);\n",
    foundBy: ['test/gateway/response-writer'],
  },
  {
    name: 'metadata is withdrawn from other threads after the change has begun',
    file: 'src/worker/metadata-entries.ts',
    right: 'this.shared?.withdraw(name);',
    wrong: 'setImmediate(() => this.shared?.withdraw(name));',
    foundBy: ['test/worker/shared-metadata'],
  },
  {
    name: 'metadata that was decoded once is not compared with its slot again',
    file: 'src/worker/shared-metadata-reader.ts',
    right: 'if (known && this.view.isStill(known.slot, known.version)) {',
    wrong: 'if (known) {',
    foundBy: ['test/worker/shared-metadata'],
  },
  {
    name: 'a thread answers though it has not heard of every change',
    file: 'src/cli/io-thread.ts',
    right: 'mirror.count === board.changes.read()',
    wrong: 'mirror.count >= 0',
    foundBy: ['test/gateway/io-threads'],
  },
  {
    name: 'a request that is handed over is counted by both threads',
    file: 'src/gateway/handle-request.ts',
    right: "if (outcome.kind === 'handed-over') this.#settings.elsewhere?.handle(req, res, expectsContinue);",
    wrong:
      "if (outcome.kind === 'handed-over') { this.#accounts.ended(req, res, progress, outcome); this.#settings.elsewhere?.handle(req, res, expectsContinue); }",
    foundBy: ['test/gateway/io-threads'],
  },
  {
    name: 'a header that Node’s client makes conditions about goes between threads as it is',
    file: 'src/gateway/carried-request.ts',
    right: "lower === 'trailer' ||",
    wrong: '',
    foundBy: ['test/gateway/hand-over', 'test/hostile/threads-answer-alike'],
  },
  {
    name: 'an expectation that is none is one for the store thread',
    file: 'src/gateway/carried-request.ts',
    right: "(lower === 'expect' && !expectsContinue)",
    wrong: "(lower === 'expect' && name === '')",
    foundBy: ['test/hostile/threads-answer-alike'],
  },
  {
    name: 'a thread that hangs counts as running',
    file: 'src/gateway/io-threads.ts',
    right: 'isListening && missed < missedUntilSilent',
    wrong: 'isListening && missed >= 0',
    foundBy: ['test/gateway/stuck-threads'],
  },
  {
    name: 'a thread that hangs is left as it is',
    file: 'src/gateway/io-threads.ts',
    right: 'if (io.missed === missedUntilEnded)',
    wrong: 'if (io.missed < 0)',
    foundBy: ['test/gateway/stuck-threads'],
  },
  {
    name: 'a body that breaks off is counted as bytes that are no request too',
    file: 'src/gateway/server.ts',
    right: 'return due ? undefined : code;',
    wrong: 'return code;',
    foundBy: ['test/hostile/counted-once'],
  },
  {
    name: 'an answer that was ended and is still on its way is cut when the node ends',
    file: 'src/gateway/idle-connections.ts',
    right: 'return !socket._httpMessage && socket.writableLength === 0;',
    wrong: 'return !socket._httpMessage || socket._httpMessage.writableEnded;',
    foundBy: ['test/cli/serve'],
  },
  {
    name: 'the same signal twice at once ends the node in the middle of its requests',
    file: 'src/cli/commands/serve.ts',
    right: 'else if (systemClock.monotonicMs() - askedMs > sameWishMs) process.exit(1);',
    wrong: 'else process.exit(1);',
    foundBy: ['test/cli/serve'],
  },
  {
    name: 'a small object is given out after its page has gone',
    file: 'src/worker/small-objects.ts',
    right: 'if (this.view.isStill(slot, version) && path === target.path',
    wrong: 'if (slot >= 0 && version >= 0 && path === target.path',
    foundBy: ['test/worker/small-objects'],
  },
  {
    name: 'a connection that stands still in the midst of an answer is never ended',
    file: 'src/gateway/idle-connections.ts',
    right: 'else if (stands && !rests && !socket.timeout) {',
    wrong: 'else if (stands && rests && !socket.timeout) {',
    foundBy: ['test/gateway/idle-connections'],
  },
];
