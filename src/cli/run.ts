import { TlsError } from '../common/tls.ts';
import { CoordError } from '../coord/store.ts';
import { UfsError } from '../ufs/errors.ts';
import { parseArguments } from './arguments.ts';
import type { Invocation } from './command.ts';
import { commandTable } from './command-table.ts';
import { CommandError, UsageError } from './errors.ts';
import { commandHelp, overview } from './help.ts';
import { loadSettings } from './load-settings.ts';
import { wantsColour } from './paint.ts';

/** What surrounds a command: given by the process, or by a test. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whole lines. */
  readonly print: (text: string) => void;
  /** Whether `print` writes to one. */
  readonly isTerminal?: boolean;
  /** As in `Invocation`. */
  readonly bar?: (line: string) => void;
  readonly printError: (text: string) => void;
}

/** Runs one command line and gives its exit code: 0, 1 if it failed, 2 if it was written wrongly. */
export async function run(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const { print, printError } = surroundings;
  try {
    if (words[0] === '--help' || words[0] === '-h' || words[0] === 'help') {
      print(overview(commandTable));
      return 0;
    }
    return await runCommand(words[0] === '--version' ? ['version'] : words, surroundings);
  } catch (error) {
    const exitCode = error instanceof UsageError ? 2 : 1;
    // What nobody foresaw is a defect of the program: its stack is the report.
    if (!isForeseen(error)) throw error;
    if (words.includes('--json')) printError(JSON.stringify({ error: error.message }));
    else printError(`forebay: ${error.message}${exitCode === 2 ? hint(words) : ''}`);
    return exitCode;
  }
}

async function runCommand(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const parsed = parseArguments(commandTable, words);
  if (parsed.help) {
    surroundings.print(commandHelp(parsed.command));
    return 0;
  }
  const invocation: Invocation = {
    arguments: parsed.arguments,
    options: parsed.options,
    json: parsed.json,
    environment: surroundings.environment,
    settings: () => loadSettings(parsed.settings, surroundings.environment, parsed.options.get('--config')),
    print: surroundings.print,
    note: (line) =>
      surroundings.printError(parsed.json ? JSON.stringify({ note: line }) : `forebay: ${line}`),
    hasColour: wantsColour(surroundings.isTerminal ?? false, surroundings.environment),
    bar: surroundings.bar,
  };
  return (await parsed.command.run(invocation)) ?? 0;
}

function isForeseen(error: unknown): error is Error {
  return [UsageError, CommandError, CoordError, TlsError, UfsError].some((kind) => error instanceof kind);
}

function hint(words: readonly string[]): string {
  const command = commandTable.find((row) => row.words.every((word, index) => words[index] === word));
  return `\nSee: forebay ${[...(command?.words ?? []), '--help'].join(' ')}`;
}
