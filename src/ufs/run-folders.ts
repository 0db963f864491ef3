import type { Writer } from './backend-fence.ts';

/** What the name of a run's folder tells. */
export interface RunFolder {
  readonly writer: string;
  /** Undefined of a node by itself, which nobody fences. */
  readonly group: string | undefined;
  /** Whether it was renamed away. */
  readonly isGone: boolean;
}

const form = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\.([0-9a-f]{8}))?\.\d+(\.gone)?$/;

/** `<uuid>.<epoch>`, of a node of a cluster `<uuid>.<group>.<epoch>`; undefined of any other name. */
export function parseRunFolder(name: string): RunFolder | undefined {
  const [, writer, group, gone] = form.exec(name) ?? [];
  return writer === undefined ? undefined : { writer, group, isGone: gone !== undefined };
}

export function runFolderOf({ id, group }: Pick<Writer, 'id'> & Partial<Writer>, epoch: number): string {
  return group === undefined ? `${id}.${epoch}` : `${id}.${group}.${epoch}`;
}
