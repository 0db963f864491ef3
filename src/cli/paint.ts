import { visible } from './text.ts';

/** How a piece of text stands out, where the terminal shows colours. */
export type Look = 'bold' | 'dim' | 'good' | 'bad' | 'warn';

/** A cell of a table: text, and how it stands out. */
export type Cell = string | readonly [text: string, look: Look];

/** Sources: ECMA-48, 8.3.117 (SGR). */
const codes: Readonly<Record<Look, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  good: [32, 39],
  bad: [31, 39],
  warn: [33, 39],
};

/** Puts colours into text, or leaves it as it is. Text that came from elsewhere cannot bring its own. */
export class Paint {
  readonly #isOn: boolean;

  constructor(isOn: boolean) {
    this.#isOn = isOn;
  }

  cell(cell: Cell): string {
    const [text, look] = typeof cell === 'string' ? [cell, undefined] : cell;
    const shown = visible(text);
    if (!this.#isOn || look === undefined || text === '') return shown;
    const [on, off] = codes[look];
    return `\u001b[${on}m${shown}\u001b[${off}m`;
  }

  /** Lines of cells behind an indent, each column as wide as its widest cell; the first line is the table's head. */
  table(head: readonly string[], rows: readonly (readonly Cell[])[], indent = '  '): string[] {
    const all = [head.map((name): Cell => [name, 'dim']), ...rows];
    const widths: number[] = [];
    const widthOf = (cell: Cell) => visible(typeof cell === 'string' ? cell : cell[0]).length;
    for (const row of all) {
      for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, widthOf(cell));
    }
    return all.map((row) => {
      const cells = row.map((cell, index) => {
        const isLast = index === row.length - 1;
        return this.cell(cell) + (isLast ? '' : ' '.repeat((widths[index] ?? 0) - widthOf(cell)));
      });
      return indent + cells.join('  ').trimEnd();
    });
  }
}

/** Whether a terminal is to be sent colours (https://no-color.org). */
export function wantsColour(
  isTerminal: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  return isTerminal && !environment.NO_COLOR && environment.TERM !== 'dumb';
}
