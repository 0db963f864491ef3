/** The bytes of one version of an object: a word that names both, again and again, so that any part of it tells where it comes from. */
export function versionedBody(key: string, version: number, sizeBytes: number): Buffer {
  return Buffer.alloc(sizeBytes, wordOf(key, version));
}

function wordOf(key: string, version: number): string {
  return `${key}#${version} `;
}

const comparedAtOnce = 64 * 1024;

/** Compares a body with what it is to be, as it comes in. */
export class BodyCheck {
  private readonly word: string;
  private readonly repeated: Buffer;
  private readonly start: number;
  private received = 0;
  private wrongAt: number | undefined;

  /** `start`: of the range within the object. */
  constructor(key: string, version: number, start = 0) {
    this.word = wordOf(key, version);
    this.repeated = Buffer.alloc(comparedAtOnce + this.word.length, this.word);
    this.start = start;
  }

  get receivedBytes(): number {
    return this.received;
  }

  /** Where the first wrong bytes are, within some of 64 KiB; undefined if there are none. */
  get firstWrong(): number | undefined {
    return this.wrongAt;
  }

  take(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at += comparedAtOnce) {
      const length = Math.min(comparedAtOnce, chunk.length - at);
      const phase = (this.start + this.received) % this.word.length;
      const isRight = this.repeated.compare(chunk, at, at + length, phase, phase + length) === 0;
      if (!isRight) this.wrongAt ??= this.start + this.received;
      this.received += length;
    }
  }
}
