import { join } from 'node:path';
import type { Random } from '../common/random.ts';
import { bodyName, historyName, placeOf, recordName } from './root-names.ts';

/** Where things lie under a root. `.forebay` holds no key, since keys' names end with `%` and a suffix. */
export class RootPaths {
  readonly root: string;
  readonly own: string;
  readonly layout: string;
  /** Is there while a process has the root open. */
  readonly marker: string;
  /** Locked by the process that has the root open. */
  readonly lock: string;
  readonly allTmp: string;
  /** Of this process; others' are left over from processes that were killed. */
  readonly tmp: string;
  readonly uploads: string;
  readonly objects: string;

  constructor(root: string, run: string) {
    this.root = root;
    this.own = join(root, '.forebay');
    this.layout = join(this.own, 'layout.json');
    this.marker = join(this.own, 'open');
    this.lock = join(this.own, 'lock');
    this.allTmp = join(this.own, 'tmp');
    this.tmp = join(this.allTmp, run);
    this.uploads = join(this.own, 'uploads');
    this.objects = join(this.own, 'objects');
  }

  record(key: string): string {
    const { directories, name } = placeOf(key);
    return join(this.root, ...directories, recordName(name));
  }

  /** The directory of a key's older versions. */
  history(key: string): string {
    const { directories, name } = placeOf(key);
    return join(this.root, ...directories, historyName(name));
  }

  body(key: string, generation: string): string {
    const { directories, name } = placeOf(key);
    return join(this.root, ...directories, bodyName(name, generation));
  }

  /** A path for a new temporary file or directory. */
  newTmp(random: Random): string {
    return join(this.tmp, random.uuid());
  }

  upload(uploadId: string): string {
    return join(this.uploads, uploadId);
  }

  /** The directory of a completed upload, whose parts are an object's body. */
  object(uploadId: string): string {
    return join(this.objects, uploadId);
  }
}
