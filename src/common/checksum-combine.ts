/**
 * CRC of a whole from the CRCs of its parts, without the bytes: crc(A‖B) = crc(A) · x^(8·|B|) mod P ⊕ crc(B).
 * The initial and final complements of these CRCs cancel out.
 */

type Crc = 'CRC32' | 'CRC32C' | 'CRC64NVME';

/** Width in bits and reflected polynomial. */
const fields: Readonly<Record<Crc, { bits: number; polynomial: bigint }>> = {
  CRC32: { bits: 32, polynomial: 0xedb88320n },
  CRC32C: { bits: 32, polynomial: 0x82f63b78n },
  CRC64NVME: { bits: 64, polynomial: 0x9a6c9329ac4bc9b5n },
};

/** The CRC (big-endian bytes) of the concatenation of pieces, given in order. An empty list is the CRC of no bytes. */
export function combineCrcs(
  name: Crc,
  pieces: readonly { readonly crc: Buffer; readonly sizeBytes: number }[],
): Buffer {
  const field = new CrcField(fields[name].bits, fields[name].polynomial);
  // Parts of an upload are nearly all of one size, so its factor is worked out once.
  const factors = new Map<number, bigint>();
  let whole = 0n;
  for (const { crc, sizeBytes } of pieces) {
    let factor = factors.get(sizeBytes);
    if (factor === undefined) {
      factor = field.xToThe(8n * BigInt(sizeBytes));
      factors.set(sizeBytes, factor);
    }
    whole = field.multiply(whole, factor) ^ BigInt(`0x${crc.toString('hex')}`);
  }
  return Buffer.from(whole.toString(16).padStart(fields[name].bits / 4, '0'), 'hex');
}

/** Polynomials over GF(2) modulo the CRC's own; reflected: the highest bit is x^0. */
class CrcField {
  private readonly one: bigint;
  private readonly polynomial: bigint;

  constructor(bits: number, polynomial: bigint) {
    this.one = 1n << BigInt(bits - 1);
    this.polynomial = polynomial;
  }

  multiply(a: bigint, b: bigint): bigint {
    let product = 0n;
    let shifted = b;
    for (let bit = this.one; bit > 0n; bit >>= 1n) {
      if (a & bit) product ^= shifted;
      shifted = shifted & 1n ? (shifted >> 1n) ^ this.polynomial : shifted >> 1n;
    }
    return product;
  }

  xToThe(exponent: bigint): bigint {
    let power = this.one >> 1n;
    let result = this.one;
    for (let rest = exponent; rest > 0n; rest >>= 1n) {
      if (rest & 1n) result = this.multiply(result, power);
      power = this.multiply(power, power);
    }
    return result;
  }
}
