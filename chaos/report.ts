import type { CampaignResult } from './campaign/run-campaign.ts';

/** Events before a violation that are shown with it. */
const shownEvents = 60;

export function wasFound({ violations, complaints }: CampaignResult): boolean {
  return violations.length > 0 || complaints.length > 0;
}

/** What happened, for a reader: first what was done, then how much was answered, then what was wrong. */
export function reportLines(result: CampaignResult): string[] {
  const lines: string[] = [];
  const counts = [...result.faults].map(([name, count]) => `${name} ${count}`);
  lines.push(`faults: ${counts.join(', ')}; ${result.overlaps} began while another was under way`);
  lines.push(
    `${result.observations} observations of keys, ${result.storageRequests} requests to the storage`,
  );
  lines.push(
    `${result.peerConnections} connections between nodes; ${result.cutBytes} bytes between them met a cut`,
  );
  lines.push(...result.availability.lines());
  const refusals = [...result.availability.refusals].sort(([, a], [, b]) => b - a).slice(0, 20);
  for (const [name, count] of refusals) lines.push(`  ${count} × ${name}`);
  for (const { atMs, what } of result.complaints.slice(0, 20))
    lines.push(`✕ at ${(atMs / 1000).toFixed(2)} s: ${what}`);
  for (const { key, kind, at, history, storage } of result.violations) {
    lines.push(
      `✕ ${key} is ${kind}, at [${Math.round(at.startMs)}, ${Math.round(at.endMs)}] ms ${at.label}`,
      history,
      'what reached the storage:',
      ...storage.map((line) => `  ${line}`),
    );
  }
  if (wasFound(result))
    lines.push('what was done, at last:', ...result.events.slice(-shownEvents).map((line) => `  ${line}`));
  return lines;
}

/** The same for a program. */
export function reportJson(seed: number, seconds: number, result: CampaignResult): object {
  const { operations, observations, overlaps, complaints, violations, storageRequests, failedStarts } =
    result;
  const { peerConnections, cutBytes, stills } = result;
  return {
    seed,
    seconds,
    operations,
    observations,
    storageRequests,
    failedStarts,
    stills,
    peerConnections,
    cutBytes,
    events: result.events,
    faults: Object.fromEntries(result.faults),
    overlaps,
    availability: result.availability.asJson(),
    refusals: Object.fromEntries(result.availability.refusals),
    told: result.availability.told,
    complaints,
    violations,
  };
}

/** Several campaigns together. */
export class Totals {
  violations = 0;
  private campaigns = 0;
  private operations = 0;
  private overlaps = 0;
  private readonly faults = new Map<string, number>();

  /** Returns how many violations this one has. */
  add({ operations, overlaps, faults, violations, complaints }: CampaignResult): number {
    const found = violations.length + complaints.length;
    this.campaigns += 1;
    this.violations += found;
    this.operations += operations;
    this.overlaps += overlaps;
    for (const [name, count] of faults) this.faults.set(name, count + (this.faults.get(name) ?? 0));
    return found;
  }

  lines(): string[] {
    const counts = [...this.faults].map(([name, count]) => `${name} ${count}`);
    return [
      `faults together: ${counts.join(', ')}; ${this.overlaps} began while another was under way`,
      `${this.campaigns} campaigns: ${this.operations} operations, ${this.violations} violations`,
    ];
  }
}
