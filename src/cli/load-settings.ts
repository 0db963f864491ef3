import { readFile } from 'node:fs/promises';
import { UsageError } from './errors.ts';
import { type LoadedSettings, resolveSettings } from './settings.ts';

const defaultFile = 'forebay.toml';

/**
 * The effective settings. The file is that of `--config` or `FOREBAY_CONFIG`, which must be there, or else `forebay.toml` in the
 * present folder if there is one. Rejects with `UsageError`.
 */
export async function loadSettings(
  flags: ReadonlyMap<string, string>,
  environment: Readonly<Record<string, string | undefined>>,
  config: string | undefined,
): Promise<LoadedSettings> {
  const given = config ?? (environment.FOREBAY_CONFIG || undefined);
  const path = given ?? defaultFile;
  let text: string | undefined;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (given !== undefined || code !== 'ENOENT') {
      throw new UsageError(`cannot read the settings file ${path} (${code})`);
    }
  }
  return resolveSettings({ flags, environment, ...(text === undefined ? {} : { file: { path, text } }) });
}
