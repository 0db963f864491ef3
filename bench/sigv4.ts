/** Microseconds that the check of one signed 4 KiB GET takes: the whole of `authenticate`, signing key already derived. */
import { createHash } from 'node:crypto';
import { cpus } from 'node:os';
import { Authenticator, type SignedRequest } from '../src/auth/authenticate.ts';
import { formatAmzDate } from '../src/common/amz-date.ts';
import { systemClock } from '../src/common/clock.ts';
import { deriveSigningKey, sign, stringToSign } from '../src/common/sigv4.ts';

const accessKeyId = 'AKIAIOSFODNN7EXAMPLE';
const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const rounds = 200_000;

function signedGet(): SignedRequest {
  const amzDate = formatAmzDate(Date.now());
  const date = amzDate.slice(0, 8);
  const scope = `${date}/us-east-1/s3/aws4_request`;
  const target = '/bench-bucket/folder/object-0001.bin';
  const payload = createHash('sha256').update('').digest('hex');
  const names = 'host;x-amz-content-sha256;x-amz-date';
  const lines = `host:127.0.0.1:9000\nx-amz-content-sha256:${payload}\nx-amz-date:${amzDate}\n`;
  const canonical = `GET\n${target}\n\n${lines}\n${names}\n${payload}`;
  const key = deriveSigningKey(secretAccessKey, date, 'us-east-1', 's3');
  const signature = sign(key, stringToSign(amzDate, scope, canonical));
  const headers: Record<string, string> = {
    host: '127.0.0.1:9000',
    'user-agent': 'Boto3/1.43 md/Botocore#1.43 ua/2.1 os/linux lang/python#3.11',
    'accept-encoding': 'identity',
    'x-amz-date': amzDate,
    'x-amz-content-sha256': payload,
    'amz-sdk-invocation-id': '7f6dcb0a-7a3d-4d3e-9a5e-000000000000',
    'amz-sdk-request': 'attempt=1',
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  };
  return {
    method: 'GET',
    rawTarget: target,
    rawPath: target,
    headers,
    rawHeaders: Object.entries(headers).flat(),
  };
}

const credential = {
  identity: { userName: 'bench', policy: 'readwrite' as const, accessKeyId },
  secretAccessKey,
  disabled: false,
};
const authenticator = new Authenticator(
  systemClock,
  { hasUser: () => true, lookup: (id) => (id === accessKeyId ? credential : undefined) },
  { region: 'us-east-1', service: 's3' },
);
const request = signedGet();
for (let i = 0; i < 20_000; i++) authenticator.authenticate(request);
const samples: number[] = [];
for (let sample = 0; sample < 5; sample++) {
  const before = process.cpuUsage();
  for (let i = 0; i < rounds / 5; i++) authenticator.authenticate(request);
  const used = process.cpuUsage(before);
  samples.push((used.user + used.system) / (rounds / 5));
}
samples.sort((a, b) => a - b);
const cpu = cpus()[0]?.model ?? 'unknown';
console.log(
  JSON.stringify({
    bench: 'sigv4-header',
    node: process.version,
    cpu,
    cpuMicrosecondsPerCheck: { median: samples[2], lowest: samples[0], highest: samples[4] },
  }),
);
