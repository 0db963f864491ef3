import type { Readable } from 'node:stream';
import type { Deadline } from './deadline.ts';
import { UfsError } from './errors.ts';
import type { HdfsAnswer, HdfsConnection, HdfsRequest } from './hdfs-connection.ts';
import { noHdfsAnswer } from './hdfs-errors.ts';
import { compareStored } from './hdfs-names.ts';

/** What the storage tells of a file or a directory (WebHDFS REST API, "FileStatus JSON Schema"). */
export interface HdfsStatus {
  readonly type: 'FILE' | 'DIRECTORY';
  /** The name within its directory; '' of what was asked for itself. */
  readonly pathSuffix: string;
  /** Of the inode; no other ever has it. */
  readonly fileId: number;
  readonly length: number;
  /** When a file was closed, or an entry of a directory came or went; milliseconds. */
  readonly modificationTime: number;
  /** Of a directory. */
  readonly childrenNum?: number;
}

export interface HdfsListing {
  /** In the storage's own order. */
  readonly entries: readonly HdfsStatus[];
  readonly hasMore: boolean;
}

/** For whom a call is made, for messages, and until when it is wanted. */
export interface For {
  readonly key?: string;
  readonly signal?: AbortSignal;
}

/** Whether what lies at the destination of a rename is replaced, or refuses it. */
export type RenameOption = 'NONE' | 'OVERWRITE';

/** The calls of WebHDFS, one each, typed. What changes the tree is sent once; what may be repeated says so. */
export class HdfsClient {
  readonly connection: HdfsConnection;

  constructor(connection: HdfsConnection) {
    this.connection = connection;
  }

  /** Kinds: not-found. */
  async status(path: string, options: For = {}): Promise<HdfsStatus> {
    const request = { ...options, operation: 'GETFILESTATUS', method: 'GET', path } as const;
    const answer = await this.connection.read<{ FileStatus?: HdfsStatus }>(request);
    if (typeof answer?.FileStatus?.type !== 'string') throw this.#noAnswer(request, 'a FileStatus');
    return answer.FileStatus;
  }

  /** Undefined where there is nothing, or a file where a directory is on the way. */
  async find(path: string, options: For = {}): Promise<HdfsStatus | undefined> {
    try {
      return await this.status(path, options);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  /** Entries of a directory behind the name `after`, as many as the storage gives at once. Kinds: not-found. */
  async list(path: string, after: string | undefined, options: For = {}): Promise<HdfsListing> {
    const request = {
      ...options,
      operation: 'LISTSTATUS_BATCH',
      method: 'GET',
      path,
      // In small letters: a NameNode that finds others in a name writes the query anew, which braces in a value break (ParamFilter).
      parameters: { startafter: after },
    } as const;
    const answer = await this.connection.read<{
      DirectoryListing?: {
        partialListing?: { FileStatuses?: { FileStatus?: readonly HdfsStatus[] } };
        remainingEntries?: number;
      };
    }>(request);
    const entries = answer?.DirectoryListing?.partialListing?.FileStatuses?.FileStatus;
    if (!Array.isArray(entries)) throw this.#noAnswer(request, 'a DirectoryListing');
    const hasMore = (answer.DirectoryListing?.remainingEntries ?? 0) > 0;
    // HttpFS gives all entries, whatever it is asked to begin behind (FSOperations.FSListStatusBatch).
    const first = entries[0]?.pathSuffix;
    if (after === undefined || first === undefined || compareStored(first, after) > 0)
      return { entries, hasMore };
    return { entries: entries.filter(({ pathSuffix }) => compareStored(pathSuffix, after) > 0), hasMore };
  }

  /** All attributes that users give, by name without `user.`. Kinds: not-found. */
  async attributes(path: string, options: For = {}): Promise<ReadonlyMap<string, Buffer>> {
    const request = {
      ...options,
      operation: 'GETXATTRS',
      method: 'GET',
      path,
      parameters: { encoding: 'base64' },
    } as const;
    const answer = await this.connection.read<{
      XAttrs?: readonly { readonly name: string; readonly value?: string }[];
    }>(request);
    if (!Array.isArray(answer?.XAttrs)) throw this.#noAnswer(request, 'XAttrs');
    const found = new Map<string, Buffer>();
    for (const { name, value } of answer.XAttrs) {
      // `0s` marks base64 (XAttrCodec).
      if (name.startsWith('user.')) {
        found.set(name.slice('user.'.length), Buffer.from((value ?? '').replace(/^0s/, ''), 'base64'));
      }
    }
    return found;
  }

  /** Makes it with all directories on the way; may be repeated. Kinds: key-conflict, conflict. */
  async makeDirectory(path: string, options: For = {}): Promise<void> {
    const request = { ...options, operation: 'MKDIRS', method: 'PUT', path } as const;
    const answer = await this.connection.read<{ boolean?: boolean }>(request);
    if (answer?.boolean !== true) throw this.#noAnswer(request, 'its success');
  }

  /** `only` says whether it may be there, or must. Kinds: not-found; conflict, where `only` does not hold. */
  async setAttribute(
    path: string,
    name: string,
    value: Buffer,
    { only, repeated, ...options }: For & { readonly only?: 'new'; readonly repeated?: boolean } = {},
  ): Promise<void> {
    const request = {
      ...options,
      operation: 'SETXATTR',
      method: 'PUT',
      path,
      parameters: {
        'xattr.name': `user.${name}`,
        'xattr.value': `0s${value.toString('base64')}`,
        flag: only === 'new' ? 'CREATE' : 'CREATE,REPLACE',
      },
    } as const;
    await (repeated ? this.connection.read(request) : this.connection.change(request));
  }

  /** Kinds: not-found, refused if there is no such attribute. */
  async removeAttribute(path: string, name: string, options: For = {}): Promise<void> {
    await this.connection.change({
      ...options,
      operation: 'REMOVEXATTR',
      method: 'PUT',
      path,
      parameters: { 'xattr.name': `user.${name}` },
    });
  }

  /**
   * One atomic step. Kinds: not-found, if the source or the destination's directory is not there; conflict, if the destination may not be
   * replaced; key-conflict.
   */
  async rename(from: string, to: string, how: RenameOption, options: For = {}): Promise<void> {
    const request = {
      ...options,
      operation: 'RENAME',
      method: 'PUT',
      path: from,
      parameters: { destination: to, renameoptions: how },
    } as const;
    const answer = await this.connection.change<{ boolean?: boolean } | undefined>(request);
    // An answer to RENAME with options has no body (WebHDFS REST API, "Rename a File/Directory").
    if (answer === undefined) return;
    if (answer.boolean !== false) throw this.#noAnswer(request, 'options of RENAME', true);
    const message =
      'this server takes no options of RENAME, as HttpFS does not, so that nothing can be replaced in one step: ask the NameNode itself';
    const { key } = options;
    throw new UfsError('not-implemented', message, {
      backend: this.connection.uri,
      key,
      code: 'PlainRename',
    });
  }

  /** Whether there was something. An empty directory goes too; one that holds something is a conflict unless `recursive`. */
  async remove(
    path: string,
    { recursive = false, ...options }: For & { readonly recursive?: boolean } = {},
  ): Promise<boolean> {
    const request = {
      ...options,
      operation: 'DELETE',
      method: 'DELETE',
      path,
      parameters: { recursive: String(recursive) },
    } as const;
    const answer = await this.connection.change<{ boolean?: boolean }>(request);
    if (typeof answer?.boolean !== 'boolean') throw this.#noAnswer(request, 'its outcome', true);
    return answer.boolean;
  }

  /** Puts the bytes of files behind those of another, in one step; the files are gone then. All lie in one directory. */
  async concat(path: string, sources: readonly string[], options: For = {}): Promise<void> {
    await this.connection.change({
      ...options,
      operation: 'CONCAT',
      method: 'POST',
      path,
      parameters: { sources: sources.join(',') },
    });
  }

  /** What the storage has computed of a file's bytes (WebHDFS REST API, "Get File Checksum"). Kinds: not-found. */
  async checksum(path: string, options: For = {}): Promise<{ algorithm: string; bytes: string }> {
    const request = { ...options, operation: 'GETFILECHECKSUM', method: 'GET', path } as const;
    const answer = await this.connection.read<{ FileChecksum?: { algorithm: string; bytes: string } }>(
      request,
    );
    if (!answer?.FileChecksum) throw this.#noAnswer(request, 'a FileChecksum');
    return answer.FileChecksum;
  }

  /** Where a new file's bytes are to go; nothing is made yet. To be repeated at will. */
  async createPlace(path: string, excluded: readonly string[], options: For = {}): Promise<URL> {
    const request: HdfsRequest = {
      ...options,
      operation: 'CREATE',
      method: 'PUT',
      path,
      parameters: {
        overwrite: 'false',
        ...(excluded.length === 0 ? {} : { excludedatanodes: excluded.join(',') }),
      },
    };
    const { connection } = this;
    return this.connection.under(connection.writes, options.signal, async () => {
      const deadline = connection.deadline(options.signal);
      try {
        const answer = await connection.ask(request, deadline, false);
        return await connection.redirection(answer, request);
      } finally {
        deadline.end();
      }
    });
  }

  /** The bytes of a new file, of `sizeBytes`, under a deadline that the caller ends. */
  async write(
    place: URL,
    body: Readable,
    sizeBytes: number,
    deadline: Deadline,
    options: For = {},
  ): Promise<void> {
    const call = { ...options, operation: 'CREATE' };
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(sizeBytes) };
    const { connection } = this;
    const answer = await connection.send(
      { ...call, method: 'PUT', url: place, headers, body },
      deadline,
      true,
    );
    if (answer.status !== 201) {
      answer.body.destroy();
      throw this.#noAnswer(call, 'the status 201', true);
    }
    await connection.json(answer, call, deadline, true);
  }

  /** Bytes of a file on their way, under a deadline that the caller ends; `host` is who sends them. Kinds: not-found. */
  async open(
    path: string,
    range: { readonly start: number; readonly end: number },
    excluded: readonly string[],
    deadline: Deadline,
    options: For & { readonly onHost?: (host: string) => void } = {},
  ): Promise<HdfsAnswer> {
    const { onHost, ...about } = options;
    const request: HdfsRequest = {
      ...about,
      operation: 'OPEN',
      method: 'GET',
      path,
      parameters: {
        offset: String(range.start),
        length: String(range.end - range.start),
        ...(excluded.length === 0 ? {} : { excludedatanodes: excluded.join(',') }),
      },
    };
    const answer = await this.connection.ask(request, deadline, false);
    if (answer.status < 300) return answer;
    const url = await this.connection.redirection(answer, request);
    onHost?.(url.host);
    return this.connection.send({ ...request, url }, deadline, false);
  }

  #noAnswer(request: { readonly operation: string; readonly key?: string }, lacks: string, changed = false) {
    return noHdfsAnswer(request.operation, lacks, this.connection.uri, request.key, changed);
  }
}

export function isAbsent(error: unknown): boolean {
  return (
    error instanceof UfsError && (error.kind === 'not-found' || error.code === 'ParentNotDirectoryException')
  );
}
