import type { HttpAnswer } from './signed-request.ts';

/** The texts of every element of a name, in order. */
export function texts({ body }: HttpAnswer, name: string): string[] {
  return [...body.toString().matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(
    ([, text]) => text ?? '',
  );
}

/** Names and texts of an error's fields that say what is wrong. */
export function errorOf(answer: HttpAnswer): Record<string, string> {
  const names = [
    'Code',
    'Message',
    'ArgumentName',
    'ArgumentValue',
    'Key',
    'VersionId',
    'Method',
    'ResourceType',
  ];
  return Object.fromEntries(names.flatMap((name) => texts(answer, name).map((text) => [name, text])));
}

/** The version that an answer names. */
export function idOf({ headers }: HttpAnswer): string {
  return headers['x-amz-version-id'] ?? 'none';
}
