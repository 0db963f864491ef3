import { S3Error } from '../../src/s3api/errors.ts';
import { exampleAuthenticator, request } from '../../test/auth/fixtures.ts';
import { Draws } from '../lib/draws.ts';
import type { FuzzRun, Violation } from '../lib/fuzzer.ts';
import { drawUnsigned } from './draw-request.ts';
import { flipped } from './flip.ts';
import type { Signed, Signer } from './signer.ts';

const flipsOfRequest = 12;

/** Requests that somebody else signed are accepted; with any bit changed they are refused. */
export class SignatureRun implements FuzzRun {
  readonly #signers: readonly Signer[];
  readonly #authenticator = exampleAuthenticator();
  #signed = 0;
  #flipped = 0;

  constructor(signers: readonly Signer[]) {
    this.#signers = signers;
  }

  async tryCase(seed: number): Promise<Violation | undefined> {
    const draws = new Draws(seed);
    const unsigned = drawUnsigned(draws);
    for (const signer of this.#signers) {
      const signed = await signer.sign(unsigned);
      this.#signed++;
      const refusal = this.#refusal(signed);
      if (refusal !== undefined) {
        return { what: `what ${signer.name} signed is refused: ${refusal}`, input: JSON.stringify(signed) };
      }
      for (let count = 0; count < flipsOfRequest; count++) {
        const changed = flipped(draws, signed);
        if (changed === undefined) continue;
        this.#flipped++;
        if (this.#refusal(changed) === undefined) {
          const input = `${JSON.stringify(signed)}\n${JSON.stringify(changed)}`;
          return { what: `with one bit changed, what ${signer.name} signed is accepted`, input };
        }
      }
    }
    return undefined;
  }

  summary(): readonly string[] {
    return [`${this.#signed} signed requests accepted, ${this.#flipped} with a bit changed refused`];
  }

  async close(): Promise<void> {
    for (const signer of this.#signers) await signer.close();
  }

  #refusal({ method, target, headers }: Signed): string | undefined {
    const sent = headers.map(([name, value]) => [name, Buffer.from(value).toString('latin1')] as const);
    try {
      this.#authenticator.authenticate(request(method, target, sent));
      return undefined;
    } catch (error) {
      if (error instanceof S3Error) return `${error.code}: ${error.message}`;
      throw error;
    }
  }
}
