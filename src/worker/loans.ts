/** Memory that was lent for one answer: it is not written to until it is given back. */
export class Loans {
  private readonly returns: (() => void)[] = [];

  get isEmpty(): boolean {
    return this.returns.length === 0;
  }

  /** `giveBack` is called once. */
  add(giveBack: () => void): void {
    this.returns.push(giveBack);
  }

  /** To be called when nobody reads the bytes any more; again does nothing. */
  giveBack(): void {
    for (const giveBack of this.returns.splice(0)) giveBack();
  }
}
