import { type FileHandle, open, readFile } from 'node:fs/promises';

/** A version of an object: the number of the change that made it. 0: no object. */
export type VersionNumber = number;

export type ChangeKind = 'put' | 'create' | 'multipart' | 'delete';

/** What a client wrote down. */
export type LogLine =
  /** A change is about to be asked for. */
  | {
      readonly at: 'begin';
      readonly change: VersionNumber;
      readonly key: string;
      readonly kind: ChangeKind;
      readonly sizeBytes: number;
    }
  /** What was answered. `open`: nobody knows whether it is done, or going to be. `forever`: nor can anybody say that it is not any more. */
  | {
      readonly at: 'end';
      readonly change: VersionNumber;
      readonly effect: 'done' | 'none' | 'open' | 'forever';
      /** Of the answer, without quotes. */
      readonly etag?: string;
      /** What is told of what was there: a create was refused. */
      readonly wasPresent?: true;
    }
  /** What a read, or a list, showed of a key. */
  | { readonly at: 'seen'; readonly key: string; readonly version: VersionNumber; readonly by: string };

/** One client's log, outside Forebay. Each line is on its disk before the client goes on. */
export class OperationLog {
  readonly path: string;
  private readonly file: FileHandle;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.file = file;
  }

  static async create(path: string): Promise<OperationLog> {
    return new OperationLog(path, await open(path, 'ax'));
  }

  async write(line: LogLine): Promise<void> {
    await this.file.write(`${JSON.stringify(line)}\n`);
    await this.file.datasync();
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

export async function readLog(path: string): Promise<LogLine[]> {
  const text = await readFile(path, 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LogLine);
}
