/** Runs one call for all who ask for the same name while it lasts. An error goes to all of them and is not remembered. */
export class SingleFlight<T> {
  private readonly flights = new Map<string, Promise<T>>();

  get size(): number {
    return this.flights.size;
  }

  run(name: string, call: () => Promise<T>): Promise<T> {
    const running = this.flights.get(name);
    if (running) return running;
    const flight = this.start(name, call);
    this.flights.set(name, flight);
    return flight;
  }

  private async start(name: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } finally {
      // `call` may end before `run` has stored the flight only if it never waits, which `await` rules out.
      this.flights.delete(name);
    }
  }
}
