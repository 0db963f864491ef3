import type { S3Response } from './call.ts';

const s3Namespace = 'http://s3.amazonaws.com/doc/2006-03-01/';

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const mustEscape = /[&<>"\u0000-\u001f\u007f-\u009f\u2028\ufffe\uffff]/g;

/**
 * Text as S3 writes it: markup as entities, everything else that an XML 1.0 reader would change or refuse as a
 * character reference. (References to most control characters are only legal in XML 1.1; S3 writes them all the same,
 * and clients that must read such keys ask for `encoding-type=url`.)
 */
export function escapeText(text: string): string {
  return text.replace(mustEscape, (c) => escapes[c] ?? `&#x${c.charCodeAt(0).toString(16)};`);
}

/** `<name>text</name>`. Numbers and booleans are written as JavaScript does. */
export function textElement(name: string, text: string | number | boolean): string {
  return `<${name}>${typeof text === 'string' ? escapeText(text) : text}</${name}>`;
}

/** As `textElement`; nothing at all for undefined. */
export function optionalElement(name: string, text: string | number | boolean | undefined): string {
  return text === undefined ? '' : textElement(name, text);
}

/** An element around others that are written already. */
export function element(name: string, children: readonly string[]): string {
  return `<${name}>${children.join('')}</${name}>`;
}

/** An answer's root element, in S3's namespace. */
export function rootElement(name: string, children: readonly string[]): string {
  return xmlDocument(`<${name} xmlns="${s3Namespace}">${children.join('')}</${name}>`);
}

export function xmlDocument(root: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${root}`;
}

/** A document as an answer with status 200; `more` are headers beside its own. */
export function xmlResponse(body: string, more: S3Response['headers'] = {}): S3Response {
  return { status: 200, headers: { 'content-type': 'application/xml', ...more }, body };
}
