/** Memory that was lent for one answer: it is not written to until it is given back. */
export class Loans {
  /** Made with the first loan: most answers are copies. */
  private returns: (() => void)[] | undefined;

  get isEmpty(): boolean {
    return this.returns === undefined;
  }

  /** `giveBack` is called once. */
  add(giveBack: () => void): void {
    this.returns ??= [];
    this.returns.push(giveBack);
  }

  /** To be called when nobody reads the bytes any more; again does nothing. */
  giveBack(): void {
    for (const giveBack of this.returns?.splice(0) ?? []) giveBack();
  }
}
