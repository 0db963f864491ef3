import { basename, dirname } from 'node:path';
import { FileSystemError } from '../../src/ufs/file-system.ts';

interface Common {
  readonly ino: number;
  mtimeNs: bigint;
  ctimeNs: bigint;
  /** What is on the medium for sure: it gets there with the operation that sets it, or with the file. */
  durableCtimeNs: bigint;
}
export interface FileNode extends Common {
  readonly kind: 'file';
  data: Buffer;
  /** What is on the medium for sure. */
  durable: { readonly data: Buffer; readonly mtimeNs: bigint } | undefined;
}
export interface DirectoryNode extends Common {
  readonly kind: 'directory';
  readonly entries: Map<string, Node>;
  readonly durable: Map<string, Node>;
}
export interface LinkNode extends Common {
  readonly kind: 'link';
}
export type Node = FileNode | DirectoryNode | LinkNode;

interface Edit {
  readonly directory: DirectoryNode;
  readonly name: string;
  /** Undefined takes the name away. */
  readonly node: Node | undefined;
  /** Whose ctime the operation sets. */
  readonly touched: Node;
  readonly ctimeNs: bigint;
}

/**
 * Files and directories as a running system sees them, and beside that what is on the medium. A change of directories is one
 * operation, which reaches the medium whole or not at all (as with a journal), at the latest with the sync of one of its
 * directories; operations on different names may reach it in any order.
 */
export class Disk {
  readonly root: DirectoryNode;
  private inodes = 0;
  private ticks = 1_700_000_000_000_000_000n;
  private pending: (readonly Edit[])[] = [];

  constructor() {
    this.root = this.newDirectory();
  }

  newFile(): FileNode {
    return { kind: 'file', ino: ++this.inodes, data: Buffer.alloc(0), durable: undefined, ...this.now() };
  }

  newDirectory(): DirectoryNode {
    return { kind: 'directory', ino: ++this.inodes, entries: new Map(), durable: new Map(), ...this.now() };
  }

  touch(node: Node, modified: boolean): void {
    const { ctimeNs } = this.now();
    node.ctimeNs = ctimeNs;
    if (modified) node.mtimeNs = ctimeNs;
  }

  find(path: string, _follow: boolean): Node {
    let node: Node = this.root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      if (node.kind !== 'directory') throw errno('ENOTDIR', path);
      const next = node.entries.get(name);
      if (!next) throw errno('ENOENT', path);
      node = next;
    }
    return node;
  }

  directory(path: string): DirectoryNode {
    const node = this.find(path, true);
    if (node.kind !== 'directory') throw errno('ENOTDIR', path);
    return node;
  }

  addEntry(path: string, node: Node): void {
    const directory = this.directory(dirname(path));
    const name = basename(path);
    if (directory.entries.has(name)) throw errno('EEXIST', path);
    this.touch(node, false);
    this.apply([{ directory, name, node, touched: node, ctimeNs: node.ctimeNs }]);
  }

  removeEntry(path: string): void {
    const directory = this.directory(dirname(path));
    const touched = this.find(path, false);
    this.touch(touched, false);
    this.apply([{ directory, name: basename(path), node: undefined, touched, ctimeNs: touched.ctimeNs }]);
  }

  rename(from: string, to: string): void {
    const node = this.find(from, false);
    const target = this.directory(dirname(to));
    const present = target.entries.get(basename(to));
    if (present?.kind === 'directory' && node.kind !== 'directory') throw errno('EISDIR', to);
    if (node.kind === 'directory' && present)
      throw errno(present.kind === 'directory' ? 'ENOTEMPTY' : 'ENOTDIR', to);
    this.touch(node, false);
    const touch = { touched: node, ctimeNs: node.ctimeNs };
    this.apply([
      { directory: this.directory(dirname(from)), name: basename(from), node: undefined, ...touch },
      { directory: target, name: basename(to), node, ...touch },
    ]);
  }

  syncFile(node: FileNode): void {
    node.durable = { data: Buffer.from(node.data), mtimeNs: node.mtimeNs };
    node.durableCtimeNs = node.ctimeNs;
  }

  syncDirectory(directory: DirectoryNode): void {
    this.persist((operation) => operation.some((edit) => edit.directory === directory));
  }

  /**
   * What is there after a power loss, as a new disk. Of what was not synced nothing survives; or, with `chance`, each directory
   * operation with even odds, and of each file a part of its bytes.
   */
  afterPowerLoss(chance?: () => number): Disk {
    if (chance) this.persist(() => chance() < 0.5);
    const survivor = new Disk();
    survivor.inodes = this.inodes;
    survivor.ticks = this.ticks + 1_000_000_000n;
    const copies = new Map<Node, Node>();
    const copy = (node: Node): Node => {
      const known = copies.get(node);
      if (known) return known;
      const made =
        node.kind === 'directory' ? { ...node, entries: new Map(), durable: new Map() } : { ...node };
      made.ctimeNs = node.durableCtimeNs;
      copies.set(node, made);
      if (node.kind === 'file' && made.kind === 'file') survive(node, made, chance);
      if (node.kind === 'directory' && made.kind === 'directory') fill(node, made, copy);
      return made;
    };
    fill(this.root, survivor.root, copy);
    return survivor;
  }

  /** The paths of everything, sorted; directories end with a slash. */
  paths(): string[] {
    const found: string[] = [];
    const walk = (directory: DirectoryNode, path: string) => {
      for (const [name, node] of directory.entries) {
        found.push(node.kind === 'directory' ? `${path}${name}/` : path + name);
        if (node.kind === 'directory') walk(node, `${path}${name}/`);
      }
    };
    walk(this.root, '/');
    return found.sort();
  }

  private apply(operation: readonly Edit[]): void {
    edit(operation, 'entries');
    for (const { directory } of operation) this.touch(directory, true);
    this.pending.push(operation);
  }

  /** Brings the chosen operations to the medium, and with each those before it that concern a name of its. */
  private persist(isChosen: (operation: readonly Edit[]) => boolean): void {
    const chosen = new Set<readonly Edit[]>();
    for (let i = this.pending.length - 1; i >= 0; i--) {
      const operation = this.pending[i] as readonly Edit[];
      const later = [...chosen].some((other) => concernsSame(operation, other));
      if (later || isChosen(operation)) chosen.add(operation);
    }
    const rest: (readonly Edit[])[] = [];
    for (const operation of this.pending) {
      if (chosen.has(operation)) edit(operation, 'durable');
      else rest.push(operation);
    }
    this.pending = rest;
  }

  private now(): { mtimeNs: bigint; ctimeNs: bigint; durableCtimeNs: bigint } {
    this.ticks += 1_000n;
    return { mtimeNs: this.ticks, ctimeNs: this.ticks, durableCtimeNs: this.ticks };
  }
}

function concernsSame(a: readonly Edit[], b: readonly Edit[]): boolean {
  return a.some((one) => b.some((other) => one.directory === other.directory && one.name === other.name));
}

function edit(operation: readonly Edit[], where: 'entries' | 'durable'): void {
  for (const { directory, name, node, touched, ctimeNs } of operation) {
    if (node) directory[where].set(name, node);
    else directory[where].delete(name);
    if (where === 'durable' && ctimeNs > touched.durableCtimeNs) touched.durableCtimeNs = ctimeNs;
  }
}

function fill(from: DirectoryNode, to: DirectoryNode, copy: (node: Node) => Node): void {
  for (const [name, node] of from.durable) {
    const made = copy(node);
    to.entries.set(name, made);
    to.durable.set(name, made);
  }
}

function survive(from: FileNode, to: FileNode, chance: (() => number) | undefined): void {
  const before = from.durable ?? { data: Buffer.alloc(0), mtimeNs: from.mtimeNs };
  let { data, mtimeNs } = before;
  if (chance && !from.data.equals(before.data) && chance() < 0.7) {
    data = chance() < 0.5 ? from.data : inPart(before.data, from.data, chance);
    mtimeNs = from.mtimeNs;
  }
  to.data = Buffer.from(data);
  to.mtimeNs = mtimeNs;
  to.durable = { data: to.data, mtimeNs };
}

/** Some of the bytes that were never synced reached the medium, as a beginning or as an end; all others are as they were. */
function inPart(before: Buffer, after: Buffer, chance: () => number): Buffer {
  let first = 0;
  while (first < before.length && before[first] === after[first]) first++;
  const cut = first + Math.floor(chance() * (after.length - first));
  // A file may have got its length before its bytes.
  const hasLength = chance() < 0.3;
  const old = Buffer.concat([before], after.length);
  if (hasLength && chance() < 0.3) return Buffer.concat([old.subarray(0, cut), after.subarray(cut)]);
  const mixed = Buffer.concat([after.subarray(0, cut), old.subarray(cut)]);
  return hasLength ? mixed : mixed.subarray(0, Math.max(before.length, cut));
}

function errno(code: string, path: string): FileSystemError {
  return new FileSystemError(code, `${code}: ${path}`);
}
