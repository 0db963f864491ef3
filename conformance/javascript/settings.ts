import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const here: Readonly<Record<string, string>> = {
  '127.0.0.1:9000': `127.0.0.1:${process.env.S3_PORT}`,
  YOUR_KEY_ID: process.env.AWS_ACCESS_KEY_ID ?? '',
  YOUR_SECRET: process.env.AWS_SECRET_ACCESS_KEY ?? '',
};

/** The settings that docs/clients.md shows, with this node's address and key. */
function settingsOf(heading: string) {
  const page = readFileSync(join(import.meta.dirname, '../../docs/clients.md'), 'utf8');
  const code = page.split(`\n## ${heading}\n`)[1]?.match(/```ts\nconst settings = (\{.*?\});\n```/s)?.[1];
  if (code === undefined) throw new Error(`docs/clients.md shows no settings for ${heading}`);
  const text = Object.entries(here).reduce((so, [name, value]) => so.replaceAll(name, value), code);
  return new Function(`return ${text}`)() as {
    readonly endpoint: string;
    readonly region: string;
    readonly forcePathStyle: boolean;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
}

export const settings = settingsOf('AWS SDK for JavaScript');
