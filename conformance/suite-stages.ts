import { leftOut, type Outcome, total } from '../scripts/stage.ts';
import { NotInstallable, type ServerName } from './backends/storage-server.ts';
import { clients } from './clients.ts';
import { runSuite, type SuiteChoice, type SuiteRun } from './run-suite.ts';
import { Scene } from './scene.ts';

const servers: readonly ServerName[] = ['s3proxy', 'moto'];
const smallClients = clients.filter(({ small }) => small);

function outcomeOf({ results, report }: SuiteRun): Outcome {
  const count = (wanted: string) => results.filter(({ outcome }) => outcome === wanted).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped'), report };
}

/** Opens a scene, runs suites in it one after another, and closes it: what does not live through it is a failure too. */
async function runIn(names: readonly ServerName[], choices: readonly SuiteChoice[]): Promise<Outcome> {
  let scene: Scene;
  try {
    scene = await Scene.open(names);
  } catch (error) {
    if (error instanceof NotInstallable) return leftOut(error.message);
    return { passed: 0, failed: 1, skipped: 0, report: String(error) };
  }
  const outcomes: Outcome[] = [];
  for (const choice of choices) outcomes.push(await runOne(scene, choice));
  if (total(outcomes).failed > 0) {
    outcomes.push({ passed: 0, failed: 0, skipped: 0, report: await scene.logs() });
  }
  await scene.close().catch((error: unknown) => {
    outcomes.push({ passed: 0, failed: 1, skipped: 0, report: String(error) });
  });
  return { ...total(outcomes), report: outcomes.map(({ report }) => report).join('\n') };
}

async function runOne(scene: Scene, choice: SuiteChoice): Promise<Outcome> {
  const title = `${choice.client.title} over ${choice.backend}`;
  try {
    const outcome = outcomeOf(await runSuite(scene, choice));
    if (outcome.failed === 0 && outcome.skipped === 0) return { ...outcome, report: '' };
    return { ...outcome, report: `${title}\n${outcome.report}` };
  } catch (error) {
    if (error instanceof NotInstallable) return leftOut(`${title}: ${error.message}`);
    return { passed: 0, failed: 1, skipped: 0, report: `${title}\n${error}` };
  }
}

/** One of the clients that install quickly, all of its cases, over the node's own `file://`. */
export function runOverFiles(name: string): Promise<Outcome> {
  const chosen = smallClients.filter((client) => client.name === name);
  return runIn(
    [],
    chosen.map((client) => ({ client, backend: 'file', route: 'forebay', cases: 'all' })),
  );
}

/** The clients that install quickly, their most telling cases, over other S3 servers. */
export function runOverServers(): Promise<Outcome> {
  return runIn(
    servers,
    servers.flatMap((backend) =>
      smallClients.map((client): SuiteChoice => ({ client, backend, route: 'forebay', cases: 'quick' })),
    ),
  );
}

/** Tables of which several write one at the same time, in their short form, over the node's own `file://`. */
export function runTables(): Promise<Outcome> {
  const chosen = clients.filter(({ packages }) => packages === 'tables');
  return runIn(
    [],
    chosen.map((client): SuiteChoice => ({ client, backend: 'file', route: 'forebay', cases: 'quick' })),
  );
}

/** The names of the clients of which each has a stage of its own. */
export const smallClientNames: readonly { readonly name: string; readonly title: string }[] = smallClients;
