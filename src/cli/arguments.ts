import type { Command } from './command.ts';
import { UsageError } from './errors.ts';
import { nearest } from './nearest.ts';
import { flagOf, settingKeys, settingsTable } from './settings-table.ts';

/** The words of a command line, sorted. */
export interface ParsedArguments {
  readonly command: Command;
  readonly arguments: Readonly<Record<string, string>>;
  /** The command's own flags and `--config`. */
  readonly options: ReadonlyMap<string, string>;
  /** Flags of settings. */
  readonly settings: ReadonlyMap<string, string>;
  readonly json: boolean;
  readonly help: boolean;
}

const everywhere = new Map([
  ['--json', false],
  ['--help', false],
  ['--config', true],
]);

/**
 * Finds the command by its leading words and takes the rest apart: `--flag value`, `--flag=value`, and `--` before words that
 * begin with dashes. A command's own flag goes before a setting of the same name. Throws `UsageError`; `help` alone lets gaps be.
 */
export function parseArguments(commands: readonly Command[], words: readonly string[]): ParsedArguments {
  const command = findCommand(commands, words);
  const { flags, positional } = splitFlags(command, words.slice(command.words.length));
  const own = new Set(command.options.map((option) => option.flag));
  const options = new Map<string, string>();
  const settings = new Map<string, string>();
  for (const [flag, value] of flags) {
    (own.has(flag) || everywhere.has(flag) ? options : settings).set(flag, value);
  }
  const help = options.has('--help');
  return {
    command,
    arguments: help ? {} : nameArguments(command, positional, options),
    options,
    settings,
    json: options.has('--json'),
    help,
  };
}

/** How a command is written, without its flags: `forebay user show NAME`. */
export function usageOf(command: Command): string {
  return ['forebay', ...command.words, ...command.arguments].join(' ');
}

function findCommand(commands: readonly Command[], words: readonly string[]): Command {
  const candidates = commands.filter((command) =>
    command.words.every((word, index) => words[index] === word),
  );
  const found = candidates.sort((a, b) => b.words.length - a.words.length)[0];
  if (found) return found;
  const given = words.filter((word) => !word.startsWith('-')).slice(0, 3);
  const inGroup = commands.filter((command) => command.words[0] === given[0]);
  if (inGroup.length > 0) {
    const known = inGroup.map((command) => command.words.slice(1).join(' ')).join(', ');
    throw new UsageError(`forebay ${given[0]} needs one of: ${known}`);
  }
  if (given.length === 0) throw new UsageError('which command?');
  const names = commands.map((command) => command.words[0] as string);
  throw new UsageError(`unknown command ${given[0]}${nearest(given[0] as string, names)}`);
}

function splitFlags(
  command: Command,
  words: readonly string[],
): { readonly flags: Map<string, string>; readonly positional: string[] } {
  const takesValue = flagKinds(command);
  const flags = new Map<string, string>();
  const positional: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (word === '--') {
      positional.push(...words.slice(i + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      positional.push(word);
      continue;
    }
    const equals = word.indexOf('=');
    const flag = equals < 0 ? word : word.slice(0, equals);
    const kind = takesValue.get(flag === '-h' ? '--help' : flag);
    if (kind === undefined) throw new UsageError(`unknown flag ${flag}${nearest(flag, takesValue.keys())}`);
    const name = flag === '-h' ? '--help' : flag;
    if (flags.has(name)) throw new UsageError(`${name} is given twice`);
    if (equals >= 0) {
      if (kind === 'none') throw new UsageError(`${name} takes no value`);
      flags.set(name, word.slice(equals + 1));
    } else if (kind === 'value') {
      const value = words[++i];
      if (value === undefined || value.startsWith('--')) throw new UsageError(`${name} needs a value`);
      flags.set(name, value);
    } else {
      flags.set(name, 'true');
    }
  }
  for (const { flag, placeholder } of command.options) checkChoice(flag, flags.get(flag), placeholder);
  return { flags, positional };
}

/** A placeholder of plain words, such as `admin|readonly`, names all the values there are. */
function checkChoice(flag: string, value: string | undefined, placeholder = ''): void {
  if (value === undefined || !/^\w+(\|\w+)+$/.test(placeholder)) return;
  const choices = placeholder.split('|');
  if (choices.includes(value)) return;
  throw new UsageError(
    `${flag} must be one of ${choices.join(', ')}, not "${value}"${nearest(value, choices)}`,
  );
}

/** `boolean`: a setting that may stand alone or have `=false`. */
function flagKinds(command: Command): Map<string, 'none' | 'value' | 'boolean'> {
  const kinds = new Map<string, 'none' | 'value' | 'boolean'>();
  for (const key of settingKeys) {
    kinds.set(flagOf(key), typeof settingsTable[key].default === 'boolean' ? 'boolean' : 'value');
  }
  for (const [flag, takes] of everywhere) kinds.set(flag, takes ? 'value' : 'none');
  for (const option of command.options) {
    kinds.set(option.flag, option.placeholder === undefined ? 'none' : 'value');
  }
  return kinds;
}

function nameArguments(
  command: Command,
  given: readonly string[],
  options: ReadonlyMap<string, string>,
): Record<string, string> {
  const named: Record<string, string> = {};
  for (const [index, argument] of command.arguments.entries()) {
    const optional = argument.startsWith('[');
    const value = given[index];
    const name = optional ? argument.slice(1, -1) : argument;
    if (value !== undefined && value !== '') named[name] = value;
    else if (!optional) throw new UsageError(`${argument} is missing: ${usageOf(command)}`);
  }
  const extra = given[command.arguments.length];
  if (extra !== undefined) throw new UsageError(`unexpected ${JSON.stringify(extra)}: ${usageOf(command)}`);
  for (const option of command.options) {
    if (!option.required || options.has(option.flag)) continue;
    throw new UsageError(`${option.flag} ${option.placeholder ?? ''} is missing: ${option.meaning}`);
  }
  return named;
}
