import type { Fuzzer } from '../lib/fuzzer.ts';
import { startBotocore } from './botocore-signer.ts';
import { SignatureRun } from './signature-run.ts';
import { aws4Signer } from './signer.ts';

export const signatureFuzzers: readonly Fuzzer[] = [
  {
    name: 'signatures',
    title: 'requests signed by aws4',
    open: async () => new SignatureRun([aws4Signer]),
  },
  {
    name: 'signatures-botocore',
    title: 'requests signed by botocore',
    open: async () => new SignatureRun([await startBotocore()]),
  },
];
