import { S3Error } from '../../src/s3api/errors.ts';
import type { Draws } from '../lib/draws.ts';

/** One decoder and what must hold of it: draws an input, tries it, and tells what was wrong. */
export interface DecoderCheck {
  readonly name: string;
  check(draws: Draws): Problem | undefined;
}

export interface Problem {
  readonly what: string;
  readonly input: unknown;
}

/** What the call gives, or the S3 error that it throws. Anything else that is thrown is a defect, and passed on. */
export function outcome<Result>(
  call: () => Result,
): { readonly result: Result } | { readonly error: S3Error } {
  try {
    return { result: call() };
  } catch (error) {
    if (error instanceof S3Error) return { error };
    throw error;
  }
}

/** Text of all kinds of characters, some of them rare. */
export function drawText(draws: Draws, longest: number): string {
  const pieces = [
    'a',
    'B',
    '0',
    ' ',
    '/',
    '%',
    '+',
    '&',
    '<',
    '>',
    '"',
    "'",
    ';',
    '=',
    '?',
    'é',
    '日',
    '😀',
    '\n',
    '\t',
    ']]>',
  ];
  return draws.list(draws.below(longest), () => draws.pick(pieces)).join('');
}
