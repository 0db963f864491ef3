import base from '../jest.config.js';

/** The suites of JavaScript clients, one process, against servers that run already. */
export default {
  ...base,
  rootDir: import.meta.dirname,
  roots: ['<rootDir>'],
  cacheDirectory: '<rootDir>/../.cache/jest',
  maxWorkers: 1,
  testTimeout: 180_000,
};
