import type { ObjectAccess } from './access-control.ts';

/** The value types that every layer shares when it speaks of an object: its metadata, digests and upload bodies. */

/** Headers that S3 stores with an object and gives back unchanged. A value may be the empty string. */
export interface ContentHeaders {
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly contentLanguage?: string;
  readonly contentDisposition?: string;
  readonly cacheControl?: string;
  readonly expires?: string;
  readonly websiteRedirectLocation?: string;
}

export const checksumAlgorithms = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const;
export type ChecksumAlgorithm = (typeof checksumAlgorithms)[number];
export type DigestName = ChecksumAlgorithm | 'MD5';
/** FULL_OBJECT: over the bytes; COMPOSITE: over the parts' checksums, written `base64-N`. */
export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE';

/** Base64, as in the `x-amz-checksum-*` headers (a composite one with its `-N`). */
export type Checksums = Readonly<Partial<Record<ChecksumAlgorithm, string>>>;

/** One part of a multipart object, in the order of the object's bytes. */
export interface ObjectPart {
  readonly partNumber: number;
  readonly sizeBytes: number;
  readonly checksums?: Checksums;
}

/** Everything known about one version of an object. Immutable. */
export interface ObjectMeta {
  readonly sizeBytes: number;
  /** As clients see it, without the quotes. */
  readonly etag: string;
  /** Milliseconds since the Unix epoch. */
  readonly lastModifiedMs: number;
  /**
   * Names the exact bytes at the backend: two reads under one generation never give different bytes.
   * Opaque outside the backend that made it; at most 256 characters.
   */
  readonly generation: string;
  /**
   * False while a change made now could still leave `generation` the same (the file system's clock is too coarse to tell).
   * Neither metadata nor pages of an unsettled generation may be cached.
   */
  readonly generationSettled: boolean;
  /** Of a version that is kept when the object is replaced, the id by which clients ask for it. */
  readonly versionId?: string;
  readonly headers: ContentHeaders;
  /** `x-amz-meta-*` without the prefix, names in lower case. A value may be the empty string. */
  readonly userMetadata: Readonly<Record<string, string>>;
  readonly storageClass?: string;
  readonly checksums?: Checksums;
  readonly checksumType?: ChecksumType;
  /** The answer that told the rest says nothing of checksums, though there may be some: asking for metadata alone tells them. */
  readonly checksumsUnknown?: true;
  /** How many tags it has; absent for none. The tags themselves are asked for each time. */
  readonly tagCount?: number;
  /** Only of an object made by multipart upload, where the backend still knows them. */
  readonly parts?: readonly ObjectPart[];
  /** What `PutOptions.stamp` said, where the backend keeps that. Never shown to clients. */
  readonly stamp?: string;
  /** Absent: it is its bucket's owner's alone, as every object is where the backend keeps no such thing. */
  readonly access?: ObjectAccess;
}

/** A word about an object or a bucket that its owner may change at any time. */
export interface Tag {
  readonly key: string;
  readonly value: string;
}

/** What a client gives with a new object, beside its bytes. */
export interface NewObject {
  readonly headers: ContentHeaders;
  readonly userMetadata: Readonly<Record<string, string>>;
  readonly storageClass?: string;
  /** Keys differ. */
  readonly tags?: readonly Tag[];
}

/** A checksum that comes with a body: its `value` (base64) if a header tells it, undefined if it comes behind the body. */
export interface AnnouncedChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly value: string | undefined;
}

/**
 * The bytes of an upload, checked as they pass. To be iterated once.
 *
 * The last bytes are given only when the length, every signature, digest and trailer hold; otherwise the iteration
 * rejects. So whoever commits only after the iteration has ended never makes a bad body visible.
 */
export interface UploadBody extends AsyncIterable<Buffer> {
  readonly sizeBytes: number;
  /** The checksum that the client sends, known before the iteration begins. */
  readonly announcedChecksum: AnnouncedChecksum | undefined;
  /** Asks, before the iteration begins, that this digest be computed as the bytes pass. */
  need(name: DigestName): void;
  /** The digest, once the iteration has ended. Only of a digest that was asked for, or that the client sent. */
  digest(name: DigestName): Buffer;
  /** The checksums that the client itself sent and that were found right (base64); known once the iteration has ended. */
  sentChecksums(): Checksums;
}
