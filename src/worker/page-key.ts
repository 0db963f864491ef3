import type { ObjectMeta } from '../common/object-meta.ts';
import type { PageKey } from './page-store.ts';
import type { ReadTarget } from './reader.ts';

/** A string that is the same exactly for equal keys. Every part but the path is free of NUL, and the path comes last. */
export function pageName(key: PageKey): string {
  return `${key.incarnation}\0${key.pageSizeBytes}\0${key.pageIndex}\0${key.generation}\0${key.path}`;
}

export function pageKeyOf(target: ReadTarget, pageIndex: number): PageKey {
  return {
    incarnation: target.incarnation,
    path: target.path,
    generation: target.meta.generation,
    pageSizeBytes: target.pageSizeBytes,
    pageIndex,
    notBeforeSeconds: target.notBeforeSeconds,
    isLoad: target.isLoad,
  };
}

export function samePage(a: PageKey, b: PageKey): boolean {
  return (
    a.pageIndex === b.pageIndex &&
    a.pageSizeBytes === b.pageSizeBytes &&
    a.path === b.path &&
    a.generation === b.generation &&
    a.incarnation === b.incarnation
  );
}

/** Length of a page in bytes: the last one of an object is short. */
export function pageLength(meta: ObjectMeta, pageSizeBytes: number, pageIndex: number): number {
  return Math.min(pageSizeBytes, meta.sizeBytes - pageIndex * pageSizeBytes);
}
