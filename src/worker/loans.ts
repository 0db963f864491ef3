/** Memory that was lent for one answer: it is not written to until it is given back. */
export class Loans {
  /** Made with the first loan: most answers are copies. */
  private returns: (() => void)[] | undefined;
  private isOver = false;

  get isEmpty(): boolean {
    return this.returns === undefined;
  }

  /** `giveBack` is called once; at once, if the answer is over already. */
  add(giveBack: () => void): void {
    if (this.isOver) {
      giveBack();
      return;
    }
    this.returns ??= [];
    this.returns.push(giveBack);
  }

  /** To be called when nobody reads the bytes any more, nor those that are lent later; again does nothing. */
  giveBack(): void {
    this.isOver = true;
    for (const giveBack of this.returns?.splice(0) ?? []) giveBack();
  }
}
