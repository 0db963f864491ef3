import type { Backend, BackendCapabilities } from './backend.ts';

/** Members that not every backend has. */
type Optional = {
  [Name in keyof Backend]-?: undefined extends Backend[Name] ? Name : never;
}[keyof Backend];

/** All of them, as the compiler sees to. */
const optional = Object.keys({
  open: true,
  pin: true,
  versions: true,
  getTags: true,
  amend: true,
  findPart: true,
  listObjectParts: true,
  reach: true,
  probe: true,
  fence: true,
} satisfies Record<Optional, true>) as readonly Optional[];

/**
 * What stands before another backend, and hides nothing of what that can do: what not every backend has goes straight to it, unless the layer
 * puts something else in its place.
 */
export abstract class BackendLayer implements Pick<Backend, 'uri' | 'capabilities' | Optional> {
  readonly uri: string;
  readonly capabilities: BackendCapabilities;
  open?: Backend['open'];
  pin?: Backend['pin'];
  versions?: Backend['versions'];
  getTags?: Backend['getTags'];
  amend?: Backend['amend'];
  findPart?: Backend['findPart'];
  listObjectParts?: Backend['listObjectParts'];
  reach?: Backend['reach'];
  probe?: Backend['probe'];
  fence?: Backend['fence'];

  constructor(inner: Backend) {
    this.uri = inner.uri;
    this.capabilities = inner.capabilities;
    for (const name of optional) {
      const member = inner[name];
      if (member) Object.assign(this, { [name]: typeof member === 'function' ? member.bind(inner) : member });
    }
  }
}
