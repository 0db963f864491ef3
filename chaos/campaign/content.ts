import { createHash } from 'node:crypto';

export const blockBytes = 512;

/** The bytes of a content: each block begins with the content's id and the block's number, so that any of them tells where it is from. */
export function contentBytes(id: string, sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes, id);
  for (let at = 0; at < sizeBytes; at += blockBytes) bytes.write(`<${id} ${at / blockBytes}>`, at, 'latin1');
  return bytes;
}

/** The contents that blocks of a body name, in order, each once; for a report. */
export function namedContents(body: Buffer): string[] {
  const names = [...body.toString('latin1').matchAll(/<(c\d+) \d+>/g)].map(([, id]) => id ?? '');
  return [...new Set(names)];
}

export function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}

/** Of an upload that came in these parts. */
export function compositeEtag(parts: readonly Buffer[]): string {
  const digests = parts.map((part) => createHash('md5').update(part).digest());
  return `${md5(Buffer.concat(digests))}-${parts.length}`;
}
