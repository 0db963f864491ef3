import { performance } from 'node:perf_hooks';
import type { KeyHistory, KeyOperation } from '../checker/operation.ts';
import { contentBytes } from './content.ts';

/** What a write brought: its bytes, and the id in its metadata, which no other write has. */
export interface Version {
  readonly id: string;
  readonly key: string;
  /** Undefined for a copy of which nobody knows yet what was copied. */
  content?: Content;
  /** As it is answered, without quotes. Undefined while nobody knows. */
  etag?: string;
}

export interface Content {
  readonly id: string;
  readonly sizeBytes: number;
}

/** What is wrong by itself, whatever else happened. */
export interface Complaint {
  readonly atMs: number;
  readonly what: string;
}

/** Complaints that are kept; more of them say nothing new. */
const maxComplaints = 100;

/** Everything that clients did and saw. */
export class Record {
  readonly complaints: Complaint[] = [];
  observations = 0;
  /** Told of each ETag that was answered of a key. */
  onEtag: (key: string, etag: string) => void = () => {};
  private readonly copiesAlone = new Set<string>();
  /** Where its times begin, on this process's clock. */
  readonly startedMs = performance.now();
  private readonly byKey = new Map<string, KeyOperation[]>();
  private readonly versions = new Map<string, Version>();
  private readonly contentsByEtag = new Map<string, Content>();
  private made = 0;

  constructor(keys: readonly string[]) {
    for (const key of keys) this.byKey.set(key, []);
  }

  get keys(): readonly string[] {
    return [...this.byKey.keys()];
  }

  /** Of the campaign's own clock. */
  nowMs(): number {
    return performance.now() - this.startedMs;
  }

  add(key: string, operation: Omit<KeyOperation, 'id'>): void {
    this.observations += 1;
    this.byKey.get(key)?.push({ ...operation, id: this.observations });
  }

  complain(what: string): void {
    if (this.complaints.length < maxComplaints) this.complaints.push({ atMs: this.nowMs(), what });
  }

  newContent(sizeBytes: number): Content {
    this.made += 1;
    return { id: `c${this.made}`, sizeBytes };
  }

  newVersion(key: string, content?: Content, etag?: string): Version {
    this.made += 1;
    const version: Version = { id: `v${this.made}`, key };
    this.versions.set(version.id, version);
    if (content && etag !== undefined) this.learn(version, content, etag);
    return version;
  }

  /** What was answered, or read, of a version. */
  learn(version: Version, content: Content, etag: string): void {
    version.content ??= content;
    version.etag ??= etag;
    this.contentsByEtag.set(etag, content);
    this.onEtag(version.key, etag);
    if (version.etag !== etag) {
      this.complain(`${version.id} of ${version.key} has the ETag ${version.etag}, and then ${etag}`);
    }
  }

  /** An ETag that the content may have beside those of its versions. */
  know(content: Content, etag: string): void {
    this.contentsByEtag.set(etag, content);
    this.copiesAlone.add(etag);
  }

  /** Whether a copy may have this ETag of an object that has another one. The bytes of short contents are alike. */
  mayBeOfCopyAlone(etag: string): boolean {
    return this.copiesAlone.has(etag);
  }

  version(id: string): Version | undefined {
    return this.versions.get(id);
  }

  contentOf(etag: string): Content | undefined {
    return this.contentsByEtag.get(etag);
  }

  bytesOf({ id, sizeBytes }: Content): Buffer {
    return contentBytes(id, sizeBytes);
  }

  historyOf(key: string): KeyHistory {
    const etags = new Map<string, string>();
    for (const { id, key: own, etag } of this.versions.values()) {
      if (own === key && etag !== undefined) etags.set(id, etag);
    }
    return { key, operations: this.byKey.get(key) ?? [], etags };
  }
}
