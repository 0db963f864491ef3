import type { ObjectAccess } from '../common/access-control.ts';
import type { AtOnce } from '../common/at-once.ts';
import type { ByteText } from '../common/byte-text.ts';
import type { ObjectMeta, Tag, UploadBody } from '../common/object-meta.ts';
import type { S3Error } from './errors.ts';
import type { BucketName, ObjectKey } from './names.ts';
import type { Identity, ObjectService, ReadGate } from './service.ts';

/** A request after its path was parsed and canonicalised, once. Header names are in lower case. */
export interface S3Request {
  readonly method: string;
  /** The path and query exactly as sent: signatures are over these bytes. */
  readonly rawTarget: string;
  /** The path part of `rawTarget`, before any decoding. */
  readonly rawPath: string;
  /** Undefined for a request to the service itself. */
  readonly bucket?: BucketName;
  readonly key?: ObjectKey;
  /** Decoded once; a parameter without `=` has the value ''. In order of appearance. */
  readonly query: ReadonlyMap<string, string>;
  /** Values of a repeated header are joined as Node does it. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly requestId: string;
  /** What Location and similar answers begin with, such as `http://127.0.0.1:9000`. */
  readonly baseUrl: string;
}

/** What an operation works with: decoded request, its caller, and the services. */
export interface Call {
  readonly request: S3Request;
  readonly caller: Identity;
  readonly service: ObjectService;
  readonly region: string;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /**
   * The request's body as an upload: aws-chunked taken off, everything the client signed or summed checked as it passes.
   * Sends `100 Continue` if the client waits for it. At most once. MissingContentLength, EntityTooLarge.
   */
  upload(): UploadBody;
  /** The whole body of a small request, checked in the same way; `MaxMessageLengthExceeded` above the limit. */
  text(limitBytes: number): Promise<string>;
  /**
   * Rejects with AccessDenied or NoSuchBucket unless the caller may do `action` there too (for copy sources and lists of keys). What it
   * returns is to be called with each version that is read, and throws AccessDenied. `newTags`: those that the body gives the object.
   */
  authorise(
    action: string,
    bucket: BucketName,
    key?: ObjectKey,
    versionId?: string,
    newTags?: readonly Tag[],
  ): Promise<(meta: ObjectMeta) => void>;
  /** Whom a version that the request reads has to be shown to first; undefined: the caller may read any. */
  readonly gate: ReadGate | undefined;
  /** Whether the caller may know of the tags that the object has which the request reads. */
  mayReadTags(): boolean;
  /** Whose an object is that the request writes, and whom its headers open it to; undefined: the bucket's owner's alone. */
  newObjectAccess(): ObjectAccess | undefined;
  /** Whether there is a user of that name, which is its canonical id. */
  readonly isUser: (name: string) => boolean;
  /** For an error that becomes a part of a successful answer: what is the server's own fault goes to the log here too. */
  noteFault(error: S3Error): void;
}

export interface S3Response {
  readonly status: number;
  /** Names in lower case. Date, server, connection and request-id headers are added by the gateway. */
  readonly headers: Readonly<Record<string, string | number>>;
  /** A string is sent as UTF-8. With an iterable, `content-length` must be among the headers. */
  readonly body?: string | Buffer | ByteText | AsyncIterable<Buffer>;
  /** To be called, if it is there, once the body is sent or nobody will send it. */
  readonly giveBack?: () => void;
}

/** Answers at once where everything is at hand; may throw as well as reject. */
export type Operation = (call: Call) => AtOnce<S3Response>;

/** One row of the operation table: what matches, what it is called, what it needs, what it does. */
export interface Route {
  /** S3's name, such as `GetObject`; the label of metrics and logs. */
  readonly operation: string;
  readonly method: string;
  readonly scope: 'service' | 'bucket' | 'object';
  /** Query keys that must all be present; the route with the most keys wins. */
  readonly query?: readonly string[];
  /** A header that must be present too, such as `x-amz-copy-source`. */
  readonly header?: string;
  /** The IAM action to authorise on the bucket or object; undefined where authentication is enough (ListBuckets). */
  readonly action?: string;
  /** The handler authorises the action for each key that the body names, or with the tags that it holds. */
  readonly asksOfBody?: 'keys' | 'tags';
  /** True if the operation changes something. */
  readonly writes: boolean;
  readonly handler: Operation;
}
