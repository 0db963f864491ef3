import type { Backend } from '../../src/ufs/backend.ts';
import type { CrashHistory } from './crash-history.ts';

export interface Scenario {
  readonly name: string;
  /** What was there, durably, before. */
  setUp(history: CrashHistory, backend: Backend): Promise<unknown>;
  /** What is under way when the power goes. */
  run(history: CrashHistory, backend: Backend, given: never): Promise<void>;
}

const scenario = <Given>(
  name: string,
  setUp: (history: CrashHistory, backend: Backend) => Promise<Given>,
  run: (history: CrashHistory, backend: Backend, given: Given) => Promise<void>,
): Scenario => ({ name, setUp, run: run as Scenario['run'] });

const inlineSize = 100;
const largeSize = 70_000;

async function twoParts(history: CrashHistory, backend: Backend, key: string): Promise<string> {
  const uploadId = await history.createUpload(backend, key);
  await history.putPart(backend, uploadId, 1, 50);
  await history.putPart(backend, uploadId, 2, 70_000);
  return uploadId;
}

export const scenarios: readonly Scenario[] = [
  scenario(
    'a put of a small object in new folders',
    async () => {},
    (history, backend) => history.put(backend, 'a/b/small', inlineSize),
  ),
  scenario(
    'a put of a large object in new folders',
    async () => {},
    (history, backend) => history.put(backend, 'a/b/large', largeSize),
  ),
  scenario(
    'overwrites of a small object by a large one and the reverse',
    async (history, backend) => {
      await history.put(backend, 'a/k', inlineSize);
      await history.put(backend, 'b', largeSize);
    },
    async (history, backend) => {
      await history.put(backend, 'a/k', largeSize);
      await history.put(backend, 'b', inlineSize);
      await history.put(backend, 'b', inlineSize + 1);
    },
  ),
  scenario(
    'puts of several objects in one new folder at once',
    async () => {},
    async (history, backend) => {
      const results = await Promise.allSettled([
        history.put(backend, 'new/1', inlineSize),
        history.put(backend, 'new/2', largeSize),
        history.put(backend, 'new/er/3', inlineSize),
      ]);
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    },
  ),
  scenario(
    'deletes, of the last object of a folder too',
    async (history, backend) => {
      await history.put(backend, 'a/b/small', inlineSize);
      await history.put(backend, 'a/b/large', largeSize);
      await history.put(backend, 'other', inlineSize);
    },
    async (history, backend) => {
      await history.delete(backend, 'a/b/large');
      await history.delete(backend, 'a/b/small');
      await history.put(backend, 'a/b/small', inlineSize);
    },
  ),
  scenario(
    'copies, onto the source itself too',
    async (history, backend) => {
      await history.put(backend, 'small', inlineSize);
      await history.put(backend, 'large', largeSize);
    },
    async (history, backend) => {
      await history.copy(backend, 'large', 'f/copy');
      await history.copy(backend, 'large', 'large');
      await history.copy(backend, 'small', 'small');
    },
  ),
  scenario(
    'the parts of an upload, and one of them again',
    async (history, backend) => {
      const uploadId = await history.createUpload(backend, 'f/big');
      await history.putPart(backend, uploadId, 1, 70_000);
      return uploadId;
    },
    async (history, backend, uploadId) => {
      await history.putPart(backend, uploadId, 2, 60);
      await history.putPart(backend, uploadId, 2, 70);
      await history.createUpload(backend, 'f/other');
    },
  ),
  scenario(
    'the completion of an upload over an object, and what is done with it then',
    async (history, backend) => {
      await history.put(backend, 'f/big', largeSize);
      return twoParts(history, backend, 'f/big');
    },
    async (history, backend, uploadId) => {
      await history.complete(backend, uploadId);
      await history.put(backend, 'f/big', inlineSize);
    },
  ),
  scenario(
    'the completion of an upload whose object is deleted then',
    (history, backend) => twoParts(history, backend, 'f/big'),
    async (history, backend, uploadId) => {
      await history.complete(backend, uploadId);
      await history.delete(backend, 'f/big');
    },
  ),
  scenario(
    'the abortion of an upload',
    (history, backend) => twoParts(history, backend, 'f/big'),
    (history, backend, uploadId) => history.abort(backend, uploadId),
  ),
];
