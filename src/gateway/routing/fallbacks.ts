import type { Metrics } from '../../common/metrics.ts';
import type { Cell } from '../../common/plain-metrics.ts';
import { WorkerError } from '../../worker/reader.ts';

/**
 * How many reads may pass their owner by at once, since it cannot be reached: they go to the storage, which would otherwise get all at
 * once what a whole node had kept from it.
 */
export class Fallbacks {
  private readonly passed: Cell;
  private readonly limit: number;
  private underWay = 0;

  constructor(metrics: Metrics, limit: number) {
    this.passed = metrics.passedBy.cell({});
    this.limit = limit;
  }

  /** Runs a read that goes to the storage instead. Rejects with `WorkerError` kind `overloaded` where there are too many. */
  async run<T>(read: () => Promise<T>): Promise<T> {
    if (this.underWay >= this.limit)
      throw new WorkerError('overloaded', 'too many reads pass by owners that cannot be reached');
    this.underWay++;
    this.passed.count++;
    try {
      return await read();
    } finally {
      this.underWay--;
    }
  }
}
