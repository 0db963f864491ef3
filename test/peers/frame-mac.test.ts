import { createHmac } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { FrameMac, macBytes } from '../../src/peers/frame-mac.ts';
import { someBytes } from '../support/upload-body.ts';

const key = Buffer.alloc(32, 3);

function signed(mac: FrameMac, kind: number, exchange: number, text: Buffer): Buffer {
  const content = Buffer.concat([Buffer.alloc(macBytes), text]);
  mac.sign(kind, exchange, content, 0, content.length);
  return content;
}

test('a proof is the HMAC-SHA-256 of sequence number, kind, exchange and content, of short contents and long ones', () => {
  const mac = new FrameMac(key);
  for (const [sequence, sizeBytes] of [0, 1, 100, 2048, 2049, 100_000].entries()) {
    const text = someBytes(sizeBytes);
    const prefix = Buffer.alloc(13);
    prefix.writeUInt32BE(sequence, 4);
    prefix[8] = 6;
    prefix.writeUInt32BE(77, 9);
    const expected = createHmac('sha256', key).update(prefix).update(text).digest().subarray(0, macBytes);
    expect(signed(mac, 6, 77, text).subarray(0, macBytes).equals(expected)).toBe(true);
  }
});

test('frames are accepted in their order, once each, and under their own kind and exchange alone', () => {
  const frames = (count: number) => {
    const writer = new FrameMac(key);
    return Array.from({ length: count }, () => signed(writer, 6, 1, Buffer.from('the same')));
  };
  const [first, second] = frames(2) as [Buffer, Buffer];
  const inOrder = new FrameMac(key);
  expect([inOrder.accepts(6, 1, first), inOrder.accepts(6, 1, second)]).toEqual([true, true]);
  const again = new FrameMac(key);
  expect([again.accepts(6, 1, first), again.accepts(6, 1, first)]).toEqual([true, false]);
  expect(new FrameMac(key).accepts(6, 1, second)).toBe(false);
  expect(new FrameMac(key).accepts(5, 1, first)).toBe(false);
  expect(new FrameMac(key).accepts(6, 2, first)).toBe(false);
  expect(new FrameMac(Buffer.alloc(32, 4)).accepts(6, 1, first)).toBe(false);
  expect(new FrameMac(key).accepts(6, 1, first.subarray(0, 10))).toBe(false);
});
