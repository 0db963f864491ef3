import type { LoadedSettings } from './settings.ts';

/** A flag of one command. Without a placeholder it takes no value. */
export interface Option {
  /** With its dashes: `--read-only`. */
  readonly flag: string;
  readonly placeholder?: string;
  readonly meaning: string;
  readonly required?: true;
}

/** What a command was given, and how it speaks. */
export interface Invocation {
  /** By the names of the command's arguments. */
  readonly arguments: Readonly<Record<string, string | undefined>>;
  /** By flag; a flag that takes no value has `true`. */
  readonly options: ReadonlyMap<string, string>;
  readonly json: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The effective settings, read when first asked for. Rejects with `UsageError` and `CommandError`. */
  settings(): Promise<LoadedSettings>;
  /** Whether what is printed goes to a terminal that is to show colours. */
  readonly hasColour: boolean;
  /** A line on stdout. */
  print(line: string): void;
  /** A line on stderr: what is to be known about what is printed. */
  note(line: string): void;
  /** Shows a line in place of the one shown before, '' to take it away; absent where stdout is no terminal. */
  readonly bar?: (line: string) => void;
}

/** One row of the command table. */
export interface Command {
  readonly words: readonly string[];
  /** In order; those in brackets may be left out. */
  readonly arguments: readonly string[];
  readonly options: readonly Option[];
  /** One line. */
  readonly summary: string;
  /** True if its help lists the settings. */
  readonly showsSettings?: true;
  /** The exit code, 0 if undefined. Rejects with `UsageError` (2) and `CommandError` (1). */
  readonly run: (invocation: Invocation) => Promise<number | undefined>;
}
