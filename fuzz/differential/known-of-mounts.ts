import type { KnownDifference } from './known-differences.ts';
import type { Step } from './step.ts';

const reads = ['GetObject', 'HeadObject'];
const asks = (parameter: string) => (step: Step) => (step.query ?? []).some(([name]) => name === parameter);
const conditional = (step: Step): boolean =>
  step.headers?.['If-Match'] !== undefined || step.headers?.['If-None-Match'] !== undefined;

/**
 * Where the storage behind a mount lacks something, so that Forebay cannot answer as S3 either: beside what is known of the storage itself.
 * "API" is the Amazon S3 API Reference.
 */
export const knownOfMounts: readonly KnownDifference[] = [
  {
    operations: ['PutObject', 'CompleteMultipartUpload'],
    field: /^status$/,
    ours: /^501 NotImplemented$/,
    when: conditional,
    because:
      'User Guide, Conditional writes: decided by the storage in one step, or refused; it looks first and writes then.',
  },
  {
    operations: [
      'UploadPart',
      'UploadPartCopy',
      'CompleteMultipartUpload',
      'AbortMultipartUpload',
      'ListParts',
    ],
    field: /^status$/,
    ours: /^(503 ServiceUnavailable|500 InternalError)$/,
    theirs: /^500/,
    because:
      'API, Error responses, NoSuchUpload: a storage that fails there cannot be told from one that is not up.',
  },
  {
    operations: reads,
    field: /^(status|header content-range|header x-amz-mp-parts-count)$/,
    ours: /^(200|206|none|bytes|\d+$)/,
    when: asks('partNumber'),
    because:
      'API, GetObject, partNumber: a part of an object made of parts is 206, an object put at once 200.',
  },
];
