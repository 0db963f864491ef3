import aws4 from 'aws4';
import { exampleAccessKeyId, exampleDate, exampleSecret } from '../../test/auth/fixtures.ts';
import type { Unsigned } from './draw-request.ts';

/** A request as it goes over the wire. */
export interface Signed {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** Somebody else's implementation of Signature Version 4, signing as of `exampleDate`. */
export interface Signer {
  readonly name: string;
  sign(unsigned: Unsigned): Promise<Signed>;
  close(): Promise<void>;
}

export const signedHost = 'localhost:9000';
const credentials = { accessKeyId: exampleAccessKeyId, secretAccessKey: exampleSecret };

export const aws4Signer: Signer = {
  name: 'aws4',
  sign: async ({ method, path, query, headers, form }) => {
    const signQuery = form === 'query';
    const date = signQuery ? [`X-Amz-Date=${exampleDate}`] : [];
    const whole = [query, ...date].filter((part) => part !== '').join('&');
    const signed = aws4.sign(
      {
        host: signedHost,
        method,
        path: whole === '' ? path : `${path}?${whole}`,
        service: 's3',
        region: 'us-east-1',
        signQuery,
        headers: signQuery
          ? { ...headers }
          : { 'X-Amz-Date': exampleDate, 'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD', ...headers },
      },
      credentials,
    );
    const sent = Object.entries(signed.headers ?? {});
    return { method, target: signed.path ?? '', headers: sent.map(([name, value]) => [name, String(value)]) };
  },
  close: async () => {},
};
