import { describe, expect, test } from '@jest/globals';
import { SecretBox } from '../../src/auth/secret-box.ts';
import { systemRandom } from '../../src/common/random.ts';

const box = new SecretBox(systemRandom, Buffer.alloc(32, 1));

describe('a sealed secret', () => {
  test('opens for what it was sealed for, whatever it is made of', () => {
    for (const secret of ['', 'secret', 'é🎉', 'x'.repeat(10_000)]) {
      const sealed = box.seal(secret, 'AKIA1');
      expect(box.open(sealed, 'AKIA1')).toBe(secret);
    }
  });

  test('is another each time, and shows nothing of the secret', () => {
    expect(box.seal('secret', 'AKIA1')).not.toBe(box.seal('secret', 'AKIA1'));
    expect(Buffer.from(box.seal('secret', 'AKIA1'), 'base64').toString('latin1')).not.toContain('secret');
  });

  test('does not open under another name or with another key', () => {
    const sealed = box.seal('secret', 'AKIA1');
    expect(box.open(sealed, 'AKIA2')).toBeUndefined();
    expect(new SecretBox(systemRandom, Buffer.alloc(32, 2)).open(sealed, 'AKIA1')).toBeUndefined();
  });

  test('does not open with any of its bits changed, or cut short', () => {
    const sealed = Buffer.from(box.seal('secret', 'AKIA1'), 'base64');
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const bad = Buffer.from(sealed);
      bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(box.open(bad.toString('base64'), 'AKIA1')).toBeUndefined();
    }
    for (let end = 0; end < sealed.length; end++) {
      expect(box.open(sealed.subarray(0, end).toString('base64'), 'AKIA1')).toBeUndefined();
    }
  });
});
