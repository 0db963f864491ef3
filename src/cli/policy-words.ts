import type { CacheRule } from '../common/policy.ts';

/** Whether what is read of an object is kept. */
export const keptWords: Readonly<Record<CacheRule, string>> = {
  always: 'what is read of it is kept',
  'second-read': 'what is read of it is kept from the second time on',
  never: 'nothing of it is kept',
};

/** As it is written on the command line: `minSize` is `min-size`. */
export function optionName(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
