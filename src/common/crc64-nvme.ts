// biome-ignore-all lint/style/noNonNullAssertion: every index is masked to the tables' length or bounded by the loop, and a test for undefined would halve the speed.

/** The reflected polynomial of CRC-64/NVME (NVM Express NVM Command Set Specification 1.0, section 5.2.1.3.4). */
const polynomial = 0x9a6c9329ac4bc9b5n;

/**
 * Slicing tables: entry `slice * 256 + byte` is the CRC of `byte` followed by `slice` zero bytes, in two halves, since
 * JavaScript's fast integers have 32 bits.
 */
const { low: tableLow, high: tableHigh } = buildTables(8);

function buildTables(slices: number): { low: Int32Array; high: Int32Array } {
  const entries: bigint[] = [];
  for (let byte = 0; byte < 256; byte++) {
    let crc = BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
    entries.push(crc);
  }
  for (let i = 256; i < slices * 256; i++) {
    const before = entries[i - 256] as bigint;
    entries.push((before >> 8n) ^ (entries[Number(before & 0xffn)] as bigint));
  }
  return {
    low: Int32Array.from(entries, (entry) => Number(BigInt.asIntN(32, entry))),
    high: Int32Array.from(entries, (entry) => Number(BigInt.asIntN(32, entry >> 32n))),
  };
}

/** CRC-64/NVME over bytes that arrive in pieces; eight bytes a step. */
export class Crc64Nvme {
  private low = -1;
  private high = -1;

  update(bytes: Uint8Array): void {
    const tl = tableLow as { [index: number]: number };
    const th = tableHigh as { [index: number]: number };
    const data = bytes as { [index: number]: number };
    let low = this.low;
    let high = this.high;
    let at = 0;
    const wholeSteps = bytes.length - (bytes.length % 8);
    while (at < wholeSteps) {
      low ^= at4(data, at);
      high ^= at4(data, at + 4);
      at += 8;
      const i0 = 1792 + (low & 0xff);
      const i1 = 1536 + ((low >>> 8) & 0xff);
      const i2 = 1280 + ((low >>> 16) & 0xff);
      const i3 = 1024 + (low >>> 24);
      const i4 = 768 + (high & 0xff);
      const i5 = 512 + ((high >>> 8) & 0xff);
      const i6 = 256 + ((high >>> 16) & 0xff);
      const i7 = high >>> 24;
      low = tl[i0]! ^ tl[i1]! ^ tl[i2]! ^ tl[i3]! ^ tl[i4]! ^ tl[i5]! ^ tl[i6]! ^ tl[i7]!;
      high = th[i0]! ^ th[i1]! ^ th[i2]! ^ th[i3]! ^ th[i4]! ^ th[i5]! ^ th[i6]! ^ th[i7]!;
    }
    for (; at < bytes.length; at++) {
      const index = (low ^ data[at]!) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ tl[index]!;
      high = (high >>> 8) ^ th[index]!;
    }
    this.low = low;
    this.high = high;
  }

  /** Eight bytes, big endian. */
  digest(): Buffer {
    const out = Buffer.allocUnsafe(8);
    out.writeInt32BE(~this.high, 0);
    out.writeInt32BE(~this.low, 4);
    return out;
  }
}

function at4(data: { [index: number]: number }, at: number): number {
  return data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24);
}
