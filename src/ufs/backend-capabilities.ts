/** What one backend can do by itself, atomically. What is false is refused by the layers above, never imitated there. */
export interface BackendCapabilities {
  /** `put` decides `ifNoneMatch` atomically with the change: some storage does so, and not with `ifMatch`. */
  readonly conditionalCreate: boolean;
  /** `put` decides `ifMatch` so, `copy` and `delete` any condition that they take. */
  readonly conditionalPut: boolean;
  /** `completeUpload` decides `ifNoneMatch` so. */
  readonly conditionalCompleteCreate: boolean;
  /** `completeUpload` decides `ifMatch` so. */
  readonly conditionalComplete: boolean;
  readonly conditionalCopy: boolean;
  readonly conditionalDelete: boolean;
  readonly multipart: boolean;
  /** `copy` moves no byte through this process, or does so more cheaply than read and put would. */
  readonly serverSideCopy: boolean;
  /** Only this process can change what is stored, so that metadata stays valid until it does: Forebay's own layout, locked. */
  readonly exclusive: boolean;
  /** Tags are kept with each object: given when it is made, taken along by copies, and changed by `amend`. */
  readonly tagging: boolean;
  /** Each object's owner and ACL are kept with it (`ObjectMeta.access`), as tags are; otherwise all are the bucket owner's alone. */
  readonly objectAcls: boolean;
  /** `put` keeps a stamp with the object, and `head` tells it. */
  readonly stamps: boolean;
  /** `createUpload` takes a stamp too, which the object that is made of the upload has. */
  readonly uploadStamps: boolean;
  /** Keys of any form up to 1,024 bytes; otherwise `invalid-key` and `key-conflict` can occur. */
  readonly anyKey: boolean;
  /** Keeps versions beside the present one, or may do so: `versions` is there. */
  readonly versions: boolean;
  /** put, copy, completeUpload and delete take `versioning`. False where the storage is set to keep versions, or not, by its own operator. */
  readonly versioning: boolean;
}

/** What a storage was seen to do when it was tried; nothing of it is taken for granted. */
export interface ProbedAbilities
  extends Pick<
    BackendCapabilities,
    | 'conditionalCreate'
    | 'conditionalPut'
    | 'conditionalCompleteCreate'
    | 'conditionalComplete'
    | 'conditionalCopy'
    | 'conditionalDelete'
  > {
  /** It takes a checksum behind a streamed body. */
  readonly checksumTrailers: boolean;
  /** It takes a body in chunks that are signed one by one. */
  readonly signedChunks: boolean;
  /** GET says of an object what HEAD says. Absent where it was never tried: S3 itself does so. */
  readonly metadataOnGet?: boolean;
  /** It keeps tags with objects. Absent where it was never tried: nothing is then said of tags. */
  readonly tagging?: boolean;
  /** It lists versions and gives them by their ids. Absent where it was never tried: then none but the present one is asked for. */
  readonly versions?: boolean;
}
