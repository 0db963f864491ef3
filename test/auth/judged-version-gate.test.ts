import { expect, test } from '@jest/globals';
import { anonymous } from '../../src/auth/access.ts';
import { JudgedVersionGate } from '../../src/auth/judged-version-gate.ts';
import { ObjectGate } from '../../src/auth/object-gate.ts';
import { S3Error } from '../../src/s3api/errors.ts';
import { thrown } from './fixtures.ts';

const told = (act: () => void) => (thrown(act) as S3Error).code;
const closed = new ObjectGate(anonymous, { name: 'box', owner: 'ann' }, 's3:GetObject', false, () => false);

test('the version whose tags were judged is let through, and no other', () => {
  const gate = new JudgedVersionGate(undefined, 'g1');
  expect(told(() => gate.admit({ generation: 'g2' }))).toBe('SlowDown');
  expect(() => gate.admit({ generation: 'g1' })).not.toThrow();
  expect(told(() => new JudgedVersionGate(undefined, undefined).admit({ generation: 'g1' }))).toBe(
    'SlowDown',
  );
});

test('what else is to be decided is decided too', () => {
  const gate = new JudgedVersionGate(closed, 'g1');
  expect(told(() => gate.admit({ generation: 'g1' }))).toBe('AccessDenied');
  expect(told(() => gate.admitWithoutAcl())).toBe('AccessDenied');
  expect(gate.absent(new S3Error('NoSuchKey')).code).toBe('AccessDenied');
  expect(new JudgedVersionGate(undefined, undefined).absent(new S3Error('NoSuchKey')).code).toBe('NoSuchKey');
});

test('an answer about no version at all was not decided about', () => {
  const gate = new JudgedVersionGate(undefined, 'g1');
  gate.admitWithoutAcl();
  expect(gate.wasAsked).toBe(false);
});
