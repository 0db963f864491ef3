import { AdminClient } from '../admin-client.ts';
import type { Invocation } from '../command.ts';

/** Those that have said that what they tell may be old. */
const noted = new WeakSet<Invocation>();

/** Asks the node that the invocation means. The answer is of the shape that the route's schema gives. */
export async function callAdmin<T>(
  invocation: Invocation,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<T> {
  const { settings } = await invocation.settings();
  const client = await AdminClient.open(settings, invocation.environment);
  const { json, isLastKnown } = await client.call(method, path, body);
  if (isLastKnown && !noted.has(invocation)) {
    noted.add(invocation);
    invocation.note('the node does not hear from the coordination store: this is what it knew last');
  }
  return json as T;
}

/** Prints the one or the other, as asked. */
export function show(invocation: Invocation, json: unknown, lines: readonly string[]): void {
  if (invocation.json) invocation.print(JSON.stringify(json));
  else for (const line of lines) invocation.print(line);
}
