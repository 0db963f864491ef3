import type { ByteRange } from '../common/byte-range.ts';
import type { OpenedObject } from '../ufs/backend.ts';

/**
 * Bytes that came along with the metadata that was asked for. Whoever waited for the metadata may take them, one of them all; if
 * none does, the storage's answer is ended as soon as the last of them has gone.
 */
export class OpenedRead {
  private readonly object: OpenedObject;
  private holders = 1;
  private taken = false;

  /** Held once, by whoever makes it. */
  constructor(object: OpenedObject) {
    this.object = object;
  }

  hold(): this {
    this.holders++;
    return this;
  }

  release(): void {
    this.holders--;
    if (this.holders > 0 || this.taken) return;
    this.taken = true;
    this.object.close();
  }

  /** Whether its bytes come from such a source. */
  isOf(source: abstract new (...parts: never[]) => OpenedObject): boolean {
    return this.object instanceof source;
  }

  /** Where its bytes of a version end, if they begin at `start` and nobody has taken them. */
  endFrom(generation: string, start: number): number | undefined {
    const { meta, range } = this.object;
    const here = !this.taken && meta.generation === generation && range.start === start && range.end > start;
    return here ? range.end : undefined;
  }

  /** The bytes, if they are of this version, reach over the range, and nobody has taken them; they stay where they are. */
  look(generation: string, { start, end }: ByteRange): OpenedObject | undefined {
    const { meta, range } = this.object;
    const here = !this.taken && meta.generation === generation && range.start <= start && end <= range.end;
    return here ? this.object : undefined;
  }

  /** As `look`; they are the caller's to close then. */
  take(generation: string, range: ByteRange): OpenedObject | undefined {
    const object = this.look(generation, range);
    if (object) this.taken = true;
    return object;
  }
}
