// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are pieces of source code
import type { PlantedDefect } from './planted-defects.ts';

const contract = ['test/ufs/hdfs-contract'];
const own = ['test/ufs/hdfs.test'];
const names = ['test/ufs/hdfs-names'];

/** What could break unseen between this node and HDFS. */
export const plantedHdfsDefects: readonly PlantedDefect[] = [
  {
    name: 'HDFS: a version is read through its path',
    file: 'src/ufs/hdfs-read.ts',
    right: 'path: byInode ? inodePath(parsed.fileId) : path };',
    wrong: 'path };',
    foundBy: own,
  },
  {
    name: 'HDFS: nobody looks whether a file is the same behind its bytes',
    file: 'src/ufs/hdfs-read.ts',
    right: "if (status.type !== 'FILE' || generationOf(status) !== generation) {",
    wrong: "if (status.type !== 'FILE') {",
    foundBy: own,
  },
  {
    name: 'HDFS: a read that broke off begins anew',
    file: 'src/ufs/hdfs-read.ts',
    right: 'new HdfsGet(this.#client, call, { start: at, end: range.end })',
    wrong: 'new HdfsGet(this.#client, call, range)',
    foundBy: own,
  },
  {
    name: 'HDFS: names are listed as the storage orders them',
    file: 'src/ufs/hdfs-names.ts',
    right: 'const prefix = prefixBeforeOther(name, settledLength(top, name));',
    wrong: 'const prefix = prefixBeforeOther(name, name.length + settledLength(top, name));',
    foundBy: names,
  },
  {
    name: 'HDFS: a list that begins within a directory forgets names beyond ASCII',
    file: 'src/ufs/hdfs-names.ts',
    right: "this.#passes.push({ prefix: points.slice(0, i).join(''), others: !isAscii(point) });",
    wrong: "if (!isAscii(point)) this.#passes.push({ prefix: points.slice(0, i).join(''), others: true });",
    foundBy: names,
  },
  {
    name: 'HDFS: a directory is listed where its name stands, and not where its keys do',
    file: 'src/ufs/hdfs-walk.ts',
    right: 'compareUtf8(textOf(first), frame.ahead.pathSuffix) < 0',
    wrong: 'compareUtf8(first.pathSuffix, frame.ahead.pathSuffix) < 0',
    foundBy: [...own],
  },
  {
    name: 'HDFS: If-None-Match replaces what is there',
    file: 'src/ufs/hdfs-commit.ts',
    right: "creates ? 'NONE' : 'OVERWRITE'",
    wrong: "creates ? 'OVERWRITE' : 'OVERWRITE'",
    foundBy: contract,
  },
  {
    name: 'HDFS: a rename whose answer was lost counts as done',
    file: 'src/ufs/hdfs-commit.ts',
    right: 'if (error.unresolved) return this.#resolve(placing, error);',
    wrong: 'if (error.unresolved) return;',
    foundBy: own,
  },
  {
    name: 'HDFS: a record is believed of a file that was appended to',
    file: 'src/ufs/hdfs-objects.ts',
    right: 'const own = record?.generation === generation ? record : undefined;',
    wrong: 'const own = record;',
    foundBy: own,
  },
  {
    name: 'HDFS: the record is left behind',
    file: 'src/ufs/hdfs-write.ts',
    right: 'await client.setAttribute(staged.path, recordName, value, { key, signal, repeated: true });',
    wrong: "await client.setAttribute(staged.path, 'forebay.other', value, { key, signal, repeated: true });",
    foundBy: contract,
  },
  {
    name: 'HDFS: a Complete with other parts takes those that another has used up',
    file: 'src/ufs/hdfs-multipart.ts',
    right: 'if (begun && !isSame(begun, plan.parts)) {',
    wrong: 'if (begun && begun.parts.length === 0) {',
    foundBy: own,
  },
  {
    name: 'HDFS: only the first NameNode is asked',
    file: 'src/ufs/hdfs-connection.ts',
    right: 'if (turn + 1 >= this.#origins.length || !(isStandby(error) || isUnreached(error))) throw error;',
    wrong: 'if (turn + 1 >= 1 || !(isStandby(error) || isUnreached(error))) throw error;',
    foundBy: own,
  },
  {
    name: 'HDFS: a directory that a marker stands for is removed with the last key below',
    file: 'src/ufs/hdfs-write.ts',
    right: 'if (await objects.ofListed(path, status, {})) return false;',
    wrong: 'if ((await objects.ofListed(path, status, {})) && path.length === 0) return false;',
    foundBy: contract,
  },
  {
    name: 'HDFS: a server without options of RENAME is believed to have replaced',
    file: 'src/ufs/hdfs-client.ts',
    right: 'if (answer === undefined) return;',
    wrong: 'if (answer === undefined || answer.boolean === false) return;',
    foundBy: own,
  },
];
