import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { NotInstallable } from '../../conformance/backends/storage-server.ts';
import { runCommand } from '../../scripts/run-command.ts';
import { exampleAccessKeyId, exampleDate, exampleSecret } from '../../test/auth/fixtures.ts';
import { type Signed, type Signer, signedHost } from './signer.ts';

const withPython = join(import.meta.dirname, '../../scripts/with-python.sh');

/** botocore in a process of its own, one request after another. Rejects with `NotInstallable` where there is no Python. */
export async function startBotocore(): Promise<Signer> {
  if ((await runCommand('python3', ['-c', 'import venv, ensurepip'])).code !== 0) {
    throw new NotInstallable('python3 with venv is not installed');
  }
  const install = await runCommand('sh', [withPython, '-c', '']);
  if (install.code !== 0) throw new Error(install.output);
  const script = join(import.meta.dirname, 'botocore_signer.py');
  const child = spawn('sh', [withPython, script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const settings = { accessKeyId: exampleAccessKeyId, secretAccessKey: exampleSecret, date: exampleDate };
  child.stdin.write(`${JSON.stringify({ ...settings, host: signedHost })}\n`);
  return {
    name: 'botocore',
    sign: async (unsigned) => {
      child.stdin.write(`${JSON.stringify(unsigned)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`botocore did not sign ${JSON.stringify(unsigned)}`);
      return JSON.parse(value) as Signed;
    },
    close: async () => {
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    },
  };
}
