import { expect } from '@jest/globals';
import type { Backend } from '../../src/ufs/backend.ts';
import type { BackendVersions, ListVersionsOptions, VersioningMode } from '../../src/ufs/backend-versions.ts';
import { TestBody } from '../support/upload-body.ts';
import { type BackendUnderTest, type OpenBackend, plain } from './backend.ts';

/** What a backend with versions is driven through: the storage behind one that is set by its own operator is set by `set`. */
export interface Versioned {
  readonly backend: Backend;
  readonly versions: BackendVersions;
  set(mode: VersioningMode | undefined): Promise<void>;
  put(key: string, bytes: Buffer | string): Promise<string>;
  remove(key: string): Promise<string>;
}

/** A row for each version: key, the number of the put that made it (or `-` for a marker), `*` if it is the latest. */
export async function rows(
  versioned: Versioned,
  options: Partial<ListVersionsOptions> = {},
): Promise<string[]> {
  const found: string[] = [];
  let page: Pick<ListVersionsOptions, 'keyMarker' | 'versionIdMarker'> = options;
  for (let truncated = true; truncated; ) {
    const listed = await versioned.versions.list({ prefix: '', limit: 1_000, ...options, ...page });
    expect(listed.entries.length).toBeLessThanOrEqual(options.limit ?? 1_000);
    for (const entry of listed.entries) {
      if (entry.kind === 'prefix') found.push(entry.key);
      else {
        const id = entry.versionId === 'null' ? 'null' : 'id';
        found.push(
          `${entry.key} ${entry.deleteMarker ? '-' : entry.sizeBytes} ${id}${entry.isLatest ? ' *' : ''}`,
        );
      }
    }
    const last = listed.entries.at(-1);
    truncated = listed.truncated;
    page = {
      keyMarker: last?.key,
      versionIdMarker: last?.kind === 'version' ? last.versionId : undefined,
    };
  }
  return found;
}

/** Opens a backend for one test with versions; what has none is told to have none, and is not driven. */
export function withVersions(open: OpenBackend, run: (versioned: Versioned) => Promise<void>) {
  return async () => {
    const underTest = await open();
    try {
      const { backend } = underTest;
      expect(backend.versions !== undefined).toBe(backend.capabilities.versions);
      if (!backend.capabilities.versions) return;
      await run(drive(underTest));
      expect(await underTest.leftovers()).toEqual([]);
    } finally {
      await underTest.close();
    }
  };
}

function drive({ backend, setVersioning }: BackendUnderTest): Versioned {
  let mode: VersioningMode | undefined;
  const taken = () => (backend.capabilities.versioning && mode ? { versioning: mode } : {});
  return {
    backend,
    versions: backend.versions as BackendVersions,
    set: async (wanted) => {
      mode = wanted;
      if (!backend.capabilities.versioning && wanted) await setVersioning?.(wanted);
    },
    put: async (key, bytes) => {
      const meta = await backend.put(key, new TestBody(bytes), { ...plain, ...taken() });
      return meta.versionId ?? 'null';
    },
    remove: async (key) => {
      const { versionId, deleteMarker } = await backend.delete(key, taken());
      expect(deleteMarker).toBe(true);
      return versionId ?? '';
    },
  };
}
