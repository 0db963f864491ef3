import type { PlantedDefect } from './planted-defects.ts';

const nodes = ['test/gateway/routing/hand-off'];
const pages = ['test/worker/earlier-pages'];

/** What could break unseen where pages are taken over from the node that kept them before. */
export const plantedHandOffDefects: readonly PlantedDefect[] = [
  {
    name: 'the storage is asked for the bytes along with metadata though the node before has them',
    file: 'src/gateway/routing/hand-off.ts',
    right: 'if (holds) return { ...options, read: undefined };',
    wrong: 'if (holds) return options;',
    foundBy: nodes,
  },
  {
    name: 'a node is asked again and again for what it lacks',
    file: 'src/gateway/routing/hand-off.ts',
    right: '|| this.#isLacking(target, page) ||',
    wrong: '||',
    foundBy: nodes,
  },
  {
    name: 'pages are not asked of a node that drains',
    file: 'src/gateway/routing/hand-off.ts',
    right: 'return view.member(before);',
    wrong: "return view.member(before)?.state === 'joined' ? view.member(before) : undefined;",
    foundBy: nodes,
  },
  {
    name: 'the rest of a page that was given in part is read from the beginning of the page',
    file: 'src/worker/chunk-source.ts',
    right: 'const range = { start: this.at, end: this.end };',
    wrong: 'const range = { start: this.at - (this.at % this.target.pageSizeBytes), end: this.end };',
    foundBy: pages,
  },
  {
    name: 'more bytes are taken of another node than the page has',
    file: 'src/worker/chunk-source.ts',
    right: ' && this.at + piece.value.length <= this.pageEnd',
    wrong: '',
    foundBy: pages,
  },
  {
    name: 'an answer whose pages another node has given is no hit',
    file: 'src/worker/cache-status.ts',
    right: "if (fromBackend === 0) return 'hit';",
    wrong: "if (fromBackend === 0) return 'partial';",
    foundBy: [...pages, ...nodes],
  },
  {
    name: 'a page that another node has given in part counts as given',
    file: 'src/worker/page-reader.ts',
    right: 'piece.end > (joined[index]?.peerBytes ?? 0)',
    wrong: 'piece.start >= (joined[index]?.peerBytes ?? 0)',
    foundBy: pages,
  },
  {
    name: 'bytes that another node has given count as read from the storage',
    file: 'src/worker/served-bytes.ts',
    right: 'Math.max(0, Math.min(end, peerBytes) - start);',
    wrong: '0 * peerBytes;',
    foundBy: [...pages, ...nodes],
  },
  {
    name: 'a node begins to give pages that it has only in part',
    file: 'src/worker/held-pages.ts',
    right: 'if (!store.has(pageKeyOf(target, page))) return undefined;',
    wrong: 'store.has(pageKeyOf(target, page));',
    foundBy: pages,
  },
];
