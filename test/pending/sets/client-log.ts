/** What became of a change, as its client knows it. */
export type Outcome = 'acknowledged' | 'unknown' | 'none';

type Version = number | undefined;

interface Key {
  /** What the object may be. */
  possible: Set<Version>;
  /** Changes that may still have their effect, in the order in which they were made. */
  unknown: Version[];
  /** Those of them, and others, that the storage was asked for at once, so that nobody keeps them in order. */
  loose: Set<Version>;
  /** Changes that their client gave up while the node was still at them, with whether it is done with them. */
  strays: Map<Version, boolean>;
  /** Counts changes, so that it can be told whether one came between. */
  changes: number;
  underWay: Version[];
}

/** What the clients of a campaign know, outside of everything that is tried. Each key has one client, which does one thing after the other. */
export class ClientLog {
  private readonly keys: ReadonlyMap<string, Key>;

  constructor(keys: readonly string[]) {
    this.keys = new Map(
      keys.map((key) => [
        key,
        {
          possible: new Set([undefined]),
          unknown: [],
          loose: new Set(),
          strays: new Map(),
          changes: 0,
          underWay: [],
        },
      ]),
    );
  }

  /** `isLoose`: the storage was asked for it at once, and not behind what is pending. */
  begin(name: string, version: Version): { end(outcome: Outcome, isLoose: boolean): void } {
    const key = this.of(name);
    key.changes++;
    key.underWay.push(version);
    const past = [...key.strays].flatMap(([stray, isDone]) => (isDone ? [stray] : []));
    return {
      end: (outcome, isLoose) => {
        key.underWay.splice(key.underWay.indexOf(version), 1);
        key.changes++;
        if (outcome === 'none') return;
        if (outcome === 'unknown') {
          if (isLoose) key.loose.add(version);
          else key.unknown.push(version);
          return;
        }
        for (const stray of past) key.strays.delete(stray);
        // Whatever came before it is past, but for what the storage may still carry out.
        key.possible = new Set([version]);
        key.unknown = [];
        if (!isLoose) key.loose.clear();
      },
    };
  }

  /** The node goes on with a change that its client has given up, so that it may have its effect behind later ones, until `done`. */
  givenUp(name: string, version: Version, done: Promise<unknown>): void {
    const { strays } = this.of(name);
    strays.set(version, false);
    const end = () => strays.has(version) && strays.set(version, true);
    done.then(end, end);
  }

  /** What was seen, by a read that began after the last change had ended. What is seen stays. */
  judge(name: string, version: Version, where: string): void {
    const key = this.of(name);
    // That there is nothing may be as it was before, or what a deletion without an answer has done by now; whatever else may come still may.
    const place = key.possible.has(version) ? -1 : key.unknown.lastIndexOf(version);
    if (!key.possible.has(version) && !key.loose.has(version) && !key.strays.has(version) && place < 0) {
      const may = [...key.possible, ...key.unknown, ...key.loose].join();
      throw new Error(`${where}: ${name} is ${version}, and may be ${may}`);
    }
    if (place < 0) key.possible = new Set([version]);
    else {
      key.possible = new Set([version]);
      // An earlier one never comes after a later one.
      key.unknown = key.unknown.slice(place + 1);
    }
  }

  /** Whether the object may be there, and may be missing; to be given back to `judgeListed`. */
  presence(name: string) {
    const { possible, unknown, loose, strays, underWay, changes } = this.of(name);
    const all = [...possible, ...unknown, ...loose, ...strays.keys(), ...underWay];
    return {
      mayBe: all.some((version) => version !== undefined),
      mayLack: all.includes(undefined),
      changes,
    };
  }

  /** Where nothing was changed during the list. */
  judgeListed(
    name: string,
    isListed: boolean,
    before: ReturnType<ClientLog['presence']> | undefined,
    where: string,
  ): void {
    const key = this.of(name);
    if (!before || before.changes !== key.changes || key.underWay.length > 0) return;
    if (isListed ? before.mayBe : before.mayLack) return;
    throw new Error(
      `${where} lists ${name}: ${isListed}, and it may be ${[...key.possible, ...key.unknown]}`,
    );
  }

  present(name: string): boolean {
    return !this.of(name).possible.has(undefined);
  }

  private of(name: string): Key {
    return this.keys.get(name) as Key;
  }
}
