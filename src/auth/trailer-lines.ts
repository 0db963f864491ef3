import { S3Error } from '../s3api/errors.ts';

/** Trailing headers, names in lower case. */
export type Trailers = ReadonlyMap<string, string>;

const maximumBytes = 4096;
const lineFeed = 0x0a;
const signatureName = 'x-amz-trailer-signature';

/**
 * The lines behind the last chunk, up to and with the blank one: `name:value` each, ended by CRLF; where they are signed,
 * `x-amz-trailer-signature` is the last. A line may end in LF instead, as it is signed; then CRLF stands behind the last of these, as
 * minio-go writes it and S3 takes it (minio/minio-go, `pkg/signer`; minio/minio#16484). MalformedTrailerError for anything else, and above
 * 4 KiB; IncompleteBody for any line but the blank one where none is allowed.
 */
export class TrailerLines {
  readonly values = new Map<string, string>();
  signature: string | undefined;
  complete = false;
  private readonly form: { readonly allowed: boolean; readonly signed: boolean };
  private line = '';
  /** The last line ended in LF: CRLF ends no list yet. */
  private owesEnd = false;
  private takenBytes = 0;

  constructor(form: { readonly allowed: boolean; readonly signed: boolean }) {
    this.form = form;
  }

  /** Takes bytes from `start` on, as far as the lines go, and returns where they end. */
  push(bytes: Buffer, start: number): number {
    let at = start;
    while (at < bytes.length && !this.complete) {
      const end = bytes.indexOf(lineFeed, at);
      const stop = end < 0 ? bytes.length : end + 1;
      this.takenBytes += stop - at;
      if (this.takenBytes > maximumBytes) throw this.malformed();
      this.line += bytes.toString('latin1', at, stop);
      if (end >= 0) this.endLine();
      at = stop;
    }
    return at;
  }

  /** What the trailers' signature is over: `name:value` lines, sorted by name. */
  canonical(): string {
    const names = [...this.values.keys()].sort();
    return names.map((name) => `${name}:${this.values.get(name)}\n`).join('');
  }

  private endLine(): void {
    const line = this.line;
    this.line = '';
    if (line === '\r\n' && this.owesEnd) {
      this.owesEnd = false;
      return;
    }
    if (line === '\r\n') {
      if (this.form.allowed && this.form.signed && this.signature === undefined) throw this.malformed();
      this.complete = true;
      return;
    }
    const match = /^([A-Za-z0-9-]{1,128}):[ \t]*([\x21-\x7e]+)([ \t]*\r)?\n$/.exec(line);
    // Behind the signature nothing may follow, since nothing would vouch for it.
    if (!match || !this.form.allowed || this.signature !== undefined) throw this.malformed();
    const name = (match[1] as string).toLowerCase();
    const value = match[2] as string;
    const endsInLf = match[3] === undefined;
    if (this.form.signed && name === signatureName) {
      if (this.owesEnd || endsInLf) throw this.malformed();
      this.signature = value;
    } else {
      if (this.values.has(name)) throw this.malformed();
      this.values.set(name, value);
      this.owesEnd = endsInLf;
    }
  }

  /** Where no trailer can come, whatever stands here is a body that goes on too long. */
  private malformed(): S3Error {
    return new S3Error(this.form.allowed ? 'MalformedTrailerError' : 'IncompleteBody');
  }
}
