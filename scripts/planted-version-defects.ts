// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are pieces of source code
import type { PlantedDefect } from './planted-defects.ts';

const crash = ['test/ufs/version-crash'];
const wire = ['test/gateway/versions.test'];
const edges = ['test/gateway/version-edges'];

/** What could break unseen of versions: which is the latest, what is kept, what is listed, what is read. */
export const plantedVersionDefects: readonly PlantedDefect[] = [
  {
    name: 'what is known of a version is told of another key',
    file: 'src/worker/metadata-cache.ts',
    right: 'return versionId === undefined ? name : `\\0${name}`;',
    wrong: "return versionId === '' ? '' : name;",
    foundBy: edges,
  },
  {
    name: 'a delete that began before versions were kept ends after that',
    file: 'src/gateway/object-service.ts',
    right: `      await beforeCommit();
      return this.#deletions.remove(place, options);`,
    wrong: `      if (place.versioning) await beforeCommit();
      return this.#deletions.remove(place, options);`,
    foundBy: edges,
  },
  {
    name: 'a delete marker that is the latest version is told to have no tags as if there were no object',
    file: 'src/gateway/amendments.ts',
    right: "error.kind !== 'not-found' || !error.marker) throw error;",
    wrong: "error.kind !== 'not-found' || error.marker) throw error;",
    foundBy: edges,
  },
  {
    name: 'versions are kept though the layout says that there are none',
    file: 'src/ufs/root-history.ts',
    right: 'if (!this.versioned) await this.raise();',
    wrong: 'this.versioned = true;',
    foundBy: crash,
  },
  {
    name: 'versions are looked for where none was ever kept',
    file: 'src/ufs/root-layout.ts',
    right: 'versioned: layout === versionedLayout,',
    wrong: 'versioned: layout !== undefined,',
    foundBy: ['test/ufs/root-versions'],
  },
  {
    name: 'a delete marker that was never acknowledged counts as the latest version',
    file: 'src/ufs/root-history.ts',
    right: '    if (order >= limit) return false;\n',
    wrong: '',
    foundBy: crash,
  },
  {
    name: 'the version that is replaced has no durable name among the older ones',
    file: 'src/ufs/root-history.ts',
    right: `      }
    });
    await this.fs.syncDirectory(this.paths.history(key));
  }`,
    wrong: `      }
    });
  }`,
    foundBy: crash,
  },
  {
    name: 'the null version is kept when a suspended bucket overwrites it',
    file: 'src/ufs/root-commits.ts',
    right: `      await afterCommit?.();
      if (versioning === 'suspended') await this.history.remove(key, older.filter(isNull));`,
    wrong: '      await afterCommit?.();',
    foundBy: ['test/ufs/root-versions'],
  },
  {
    name: 'taking an older version away takes the latest of the older ones',
    file: 'src/ufs/root-commits.ts',
    right: 'await this.history.remove(key, [entry]);',
    wrong: 'await this.history.remove(key, older.slice(0, 1));',
    foundBy: ['test/ufs/root.test'],
  },
  {
    name: 'the marker goes before what it hid is the object again',
    file: 'src/ufs/root-commits.ts',
    right: 'if (!previous && entry === older[0]) await this.promote(key, older[1]);\n',
    wrong: '\n',
    foundBy: ['test/ufs/root.test'],
  },
  {
    name: 'a version is lost between two pages of a list',
    file: 'src/ufs/version-paging.ts',
    right: 'return versions.slice(index + 1);',
    wrong: 'return versions.slice(index + 2);',
    foundBy: ['test/ufs/memory.test', 'test/ufs/root.test'],
  },
  {
    name: 'the version that is asked for is not looked at where the object is cached',
    file: 'src/gateway/object-reads.ts',
    right: ' || options.versionId !== undefined) {',
    wrong: ') {',
    foundBy: wire,
  },
  {
    name: 'pages of an older version go when a newer one is put',
    file: 'src/gateway/version-reads.ts',
    right: 'path: `${path}\\0${versionId}`',
    wrong: 'path',
    foundBy: wire,
  },
  {
    name: 'a bucket goes though versions are left in it',
    file: 'src/gateway/buckets.ts',
    right: "const { items } = await listVersionsMerged(sources, { prefix: '', limit: 1 });",
    wrong: 'const items = (await this.#namespace.root.list({ prefix: `${bucket}/`, limit: 1 })).entries;',
    foundBy: wire,
  },
  {
    name: 'a null version of another S3 is not asked for by its name',
    file: 'src/ufs/s3-read.ts',
    right: 'const asked = isNull ? nullVersionId : versionId;',
    wrong: 'const asked = versionId;',
    foundBy: ['test/ufs/s3-contract'],
  },
];
