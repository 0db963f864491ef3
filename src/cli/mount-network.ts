import { readFile } from 'node:fs/promises';
import type { BackendDependencies } from '../ufs/open-backend.ts';
import { CommandError } from './errors.ts';
import type { Settings } from './settings-table.ts';

/** How mounts reach their storage. */
export async function networkOf(settings: Settings): Promise<BackendDependencies['network']> {
  const caFile = settings['backend.caFile'];
  return {
    caPem: caFile === undefined ? undefined : await readCertificates(caFile),
    proxyUrl: settings['backend.proxy'],
    noProxy: settings['backend.noProxy'].join(',') || undefined,
    minBytesPerSecond: settings['backend.minBytesPerSecond'],
    settlingMs: settings['backend.settling'],
  };
}

async function readCertificates(path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new CommandError(`backend.caFile: ${(error as Error).message}`);
  }
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new CommandError(`backend.caFile: ${path} holds no certificate in PEM form`);
}
