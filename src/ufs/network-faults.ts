/** Faults of the network before a byte of the request went out. */
export const unreached: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EAI_AGAIN',
  'ECONNECTTIMEOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
]);

/** The certificate of whoever answers is not trusted (Node.js documentation, "X509 certificate error codes"): nothing was asked of it. */
const distrusted =
  /^(CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(GET|VERIFY|DECODE|DECRYPT)_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED)/;

export function isDistrust(code: string | undefined): boolean {
  return code !== undefined && distrusted.test(code);
}
