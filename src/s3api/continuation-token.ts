import { crc32 } from 'node:zlib';

const version = 1;

/**
 * Where a list goes on, as a client carries it: opaque, and with a checksum so that a token that was cut, mixed up or made up is
 * seen to be one. It is no secret and grants nothing: what it leads to is authorised with the request that carries it.
 */
export function encodeToken(after: string): string {
  const text = Buffer.from(after);
  const token = Buffer.allocUnsafe(5 + text.length);
  token.writeUInt8(version, 0);
  token.writeUInt32BE(crc32(text, version), 1);
  text.copy(token, 5);
  return token.toString('base64url');
}

/** Undefined if it is no token of `encodeToken`. */
export function decodeToken(token: string): string | undefined {
  const bytes = Buffer.from(token, 'base64url');
  if (bytes.length < 6 || bytes.toString('base64url') !== token || bytes[0] !== version) return undefined;
  const text = bytes.subarray(5);
  return bytes.readUInt32BE(1) === crc32(text, version) ? text.toString() : undefined;
}
