/** What an I/O thread runs in `stuck-threads.test.ts`: it says that it listens and counts nothing; the first of all hangs when it is asked. */
import { workerData } from 'node:worker_threads';
import type { FromIoThread, IoThreadStart, ToIoThread } from '../../src/gateway/io-thread-messages.ts';

const { port, job } = workerData as IoThreadStart & { readonly job: { readonly starts: SharedArrayBuffer } };
const post = (message: FromIoThread) => port.postMessage(message);
const isFirst = Atomics.add(new Int32Array(job.starts), 0, 1) === 0;

port.on('message', (message: ToIoThread) => {
  if (message.kind === 'close') process.exit(0);
  if (message.kind !== 'count') return;
  if (isFirst) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  post({ kind: 'counted', question: message.question, values: [] });
});
post({ kind: 'listening', port: 1 });
