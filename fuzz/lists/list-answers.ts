import type { Answer } from '../lib/s3-side.ts';
import { allAt, at, readXml, textAt, type XmlTree } from '../lib/xml-tree.ts';

/** A page of a list as the answer tells it, names decoded. */
export interface ListedPage {
  readonly keys: readonly string[];
  readonly prefixes: readonly string[];
  readonly truncated: boolean;
  /** Where to go on, as it is to be sent. */
  readonly next?: string;
  /** What of the question is told again. */
  readonly echo: Readonly<Record<string, string | undefined>>;
}

function root(answer: Answer, name: string): XmlTree {
  const found = at(readXml(answer.body.toString('utf8')), name);
  if (answer.status !== 200 || found === undefined) {
    throw new Error(`${answer.status}: ${answer.body.toString('utf8', 0, 500)}`);
  }
  return found;
}

/** The names of a list that was asked for with `encoding-type=url`: percent-encoded, a space being a plus. */
export function decodeListed(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '));
}

const echoed = ['Name', 'Prefix', 'Marker', 'StartAfter', 'Delimiter', 'MaxKeys', 'EncodingType', 'KeyCount'];
const encoded = new Set(['Prefix', 'Marker', 'StartAfter', 'Delimiter']);

export function readObjects(answer: Answer, isUrl: boolean): ListedPage {
  const list = root(answer, 'ListBucketResult');
  const name = (tree: XmlTree, element: string) => {
    const text = textAt(tree, element) ?? '';
    return isUrl ? decodeListed(text) : text;
  };
  const marker = textAt(list, 'NextMarker');
  return {
    keys: allAt(list, 'Contents').map((content) => name(content, 'Key')),
    prefixes: allAt(list, 'CommonPrefixes').map((prefix) => name(prefix, 'Prefix')),
    truncated: textAt(list, 'IsTruncated') === 'true',
    next:
      textAt(list, 'NextContinuationToken') ?? (marker === undefined ? undefined : name(list, 'NextMarker')),
    echo: Object.fromEntries(
      echoed.map((element) => {
        const text = textAt(list, element);
        return [element, text !== undefined && isUrl && encoded.has(element) ? decodeListed(text) : text];
      }),
    ),
  };
}

export interface ListedUploads {
  readonly page: readonly { readonly key: string; readonly id: string }[];
  readonly truncated: boolean;
  readonly nextKey?: string;
  readonly nextId?: string;
}

export function readUploads(answer: Answer): ListedUploads {
  const list = root(answer, 'ListMultipartUploadsResult');
  return {
    page: allAt(list, 'Upload').map((upload) => ({
      key: decodeListed(textAt(upload, 'Key') ?? ''),
      id: textAt(upload, 'UploadId') ?? '',
    })),
    truncated: textAt(list, 'IsTruncated') === 'true',
    nextKey: decodeListed(textAt(list, 'NextKeyMarker') ?? ''),
    nextId: textAt(list, 'NextUploadIdMarker'),
  };
}
