/**
 * Bytes as a string of one character a byte (latin-1). A small answer is written from it together with its headers, without a copy in between.
 */
export class ByteText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** Bytes. */
  get length(): number {
    return this.text.length;
  }

  toBuffer(): Buffer {
    return Buffer.from(this.text, 'latin1');
  }
}
