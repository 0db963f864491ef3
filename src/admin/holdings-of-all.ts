import type { Holdings, HoldingsTarget } from '../common/held-pages.ts';
import { type AdminServices, type SilentNode, silentOf } from './route.ts';

/** For a node to say what it holds. */
const askMs = 4_000;
/** For all nodes to go by what was changed, and how often they are asked. */
const inForceMs = 5_000;
const askAgainMs = 50;

export interface HeldByAll {
  readonly told: readonly (Holdings & { readonly workerId: string })[];
  readonly silent: readonly SilentNode[];
}

/** Asks every node what it holds; without targets, how much of all it has room for. In order of workerId. */
export async function askHoldings(
  { reports }: Pick<AdminServices, 'reports'>,
  targets: readonly HoldingsTarget[],
): Promise<HeldByAll> {
  const asked = targets.map(({ bucket, prefix }) => ({ bucket, prefix }));
  const answers = await reports.ask('holdings', { targets: asked }, askMs);
  const told = answers.flatMap(({ member: { workerId }, told: holdings }) =>
    holdings === undefined ? [] : [{ ...(holdings as Holdings), workerId }],
  );
  return { told, silent: silentOf(answers) };
}

/** Waits, for a while, until every node goes by what this one goes by. */
export async function inForce(
  services: Pick<AdminServices, 'clock' | 'reports' | 'workerId'>,
): Promise<{ readonly nodes: number; readonly nodesInForce: number }> {
  const { clock, workerId } = services;
  const endMs = clock.monotonicMs() + inForceMs;
  for (;;) {
    const { told, silent } = await askHoldings(services, []);
    const own = told.find((one) => one.workerId === workerId)?.goesBy;
    const nodes = told.length + silent.length;
    const nodesInForce = told.filter(({ goesBy }) => goesBy === own).length;
    if (nodesInForce === nodes || clock.monotonicMs() >= endMs) return { nodes, nodesInForce };
    await clock.sleep(askAgainMs);
  }
}
