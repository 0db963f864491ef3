import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '../../scripts/run-command.ts';
import type { World } from '../world/world.ts';

const program = join(import.meta.dirname, '../../src/cli/main.ts');
/** Nodes notice within this time that their store went back. */
const noticeWithinMs = 8_000;
const lookEveryMs = 5_000;
const words = 'ring raise-generation';

/** What an operator does who has just restored etcd: looks after the nodes until one of them has noticed. False if none did for a while. */
export async function raiseGeneration(world: World): Promise<boolean> {
  for (const untilMs = Date.now() + noticeWithinMs; Date.now() < untilMs; await sleep(250)) {
    if (await raiseIfAsked(world)) return true;
  }
  return false;
}

/** What an operator does who looks in now and then, since a node may notice long after: it may have been down, or cut off. */
export async function lookAfter(
  world: World,
  signal: AbortSignal,
  tell: (what: string) => void,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(lookEveryMs, undefined, { signal }).catch(() => {});
    if (!signal.aborted && (await raiseIfAsked(world))) tell('the generation was raised later');
  }
}

/** By the command that nodes name in their readiness. False if none asks for it, or it could not be done. */
async function raiseIfAsked(world: World): Promise<boolean> {
  const asking = await nodeThatAsks(world);
  if (asking === undefined) return false;
  const { code, output } = await runCommand(
    process.execPath,
    ['--no-warnings', program, ...words.split(' ')],
    {
      env: {
        PATH: process.env.PATH,
        FOREBAY_ADMIN_URL: asking,
        AWS_ACCESS_KEY_ID: world.plan.root.accessKeyId,
        AWS_SECRET_ACCESS_KEY: world.plan.root.secretAccessKey,
      },
      timeoutMs: 20_000,
    },
  );
  // The node may be paused or killed at this moment: another try is due.
  if (code === 2) throw new Error(`there is no command ${words}: ${output}`);
  return code === 0;
}

/** The admin URL of a node that waits for the command. */
async function nodeThatAsks({ members }: World): Promise<string | undefined> {
  for (const { process: node } of members) {
    const text = await readinessOf(node.adminUrl).catch(() => '');
    if (text.includes(words)) return node.adminUrl;
  }
  return undefined;
}

async function readinessOf(adminUrl: string): Promise<string> {
  const response = await fetch(`${adminUrl}/readyz`, { signal: AbortSignal.timeout(1_000) });
  return response.text();
}
