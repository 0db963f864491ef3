/** On how many nodes a change is in force. */
export interface Reach {
  readonly nodes: number;
  readonly nodesInForce: number;
}

export function reachInWords({ nodes, nodesInForce }: Reach): string {
  if (nodesInForce >= nodes) return `in force on ${nodes === 1 ? 'the node' : `all ${nodes} nodes`}`;
  return `in force on ${nodesInForce} of ${nodes} nodes: the others go by it as soon as they reach the coordination store`;
}
