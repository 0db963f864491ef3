/**
 * What a storage needs that compares nothing before it replaces something: there a change that one node has sent, or is about to send, could
 * come after another node's, however long it was held up (consistency rule 7).
 */
export interface FencedBackend {
  /**
   * Ends every change that others have begun and `mayWrite` is false for, by the name that a backend was opened with for its changes: when
   * this resolves, none of them has an effect any more that it has not had yet. Who is ended so and lives on asks `beforeCommit` again
   * before a change of its own goes on. Absent where a change names the version that it replaces. Repeating is harmless. Rejects with
   * `UfsError` where that could not be reached.
   */
  fence?(mayWrite: (writer: string) => boolean): Promise<void>;
}

/** Under which name a backend changes things, for `fence` of others. */
export interface Writer {
  /** A UUID of one run of a node. */
  readonly id: string;
  /** Eight hexadecimal digits that all have in common who fence each other. */
  readonly group: string;
}
