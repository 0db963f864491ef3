import { usageOf } from './arguments.ts';
import type { Command } from './command.ts';
import { flagOf, type Setting, settingKeys, settingsTable } from './settings-table.ts';
import { columns } from './text.ts';

/** What `forebay --help` prints. */
export function overview(commands: readonly Command[]): string {
  const rows = commands.map((command) => [`  ${usageOf(command)}`, command.summary]);
  return [
    'Forebay: an S3-compatible caching gateway in front of S3, GCS, HDFS and file systems.',
    '',
    ...columns(rows),
    '',
    'Every command takes --help, --json, --config FILE (default: ./forebay.toml if it is there), and every setting as a flag.',
    'The user and mount commands talk to the admin port: that of FOREBAY_ADMIN_URL with AWS_ACCESS_KEY_ID and',
    'AWS_SECRET_ACCESS_KEY, or that of the settings with the root credentials in the data folder.',
  ].join('\n');
}

/** What `forebay COMMAND --help` prints. */
export function commandHelp(command: Command): string {
  const lines = [`${usageOf(command)}${command.options.length > 0 ? ' [flags]' : ''}`, '', command.summary];
  if (command.options.length > 0) {
    const rows = command.options.map((option) => [
      `  ${option.flag} ${option.placeholder ?? ''}`.trimEnd(),
      `${option.meaning}${option.required ? ' (required)' : ''}`,
    ]);
    lines.push('', ...columns(rows));
  }
  lines.push(
    '',
    ...columns([
      ['  --config FILE', 'Settings to read (default: ./forebay.toml if it is there)'],
      ['  --json', 'Print JSON'],
    ]),
  );
  if (command.showsSettings)
    lines.push('', 'Settings (flag a-b-cd, variable FOREBAY_A_B_CD):', ...settingLines());
  return lines.join('\n');
}

function settingLines(): string[] {
  const rows = settingKeys.map((key) => {
    const row = settingsTable[key] as Setting<unknown>;
    const shown = row.default === undefined ? '' : row.kind.show(row.default);
    const note = shown === '' ? '' : ` (default: ${shown})`;
    return [`  ${flagOf(key)} ${row.kind.placeholder}`, `${row.meaning}${note}`];
  });
  return columns(rows);
}
