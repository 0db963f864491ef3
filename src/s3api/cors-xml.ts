import type { CorsRule } from '../common/access-control.ts';
import { S3Error } from './errors.ts';
import { isHeaderName } from './headers.ts';
import { element, optionalElement, rootElement, textElement } from './xml.ts';
import { parseXml, type XmlElement } from './xml-reader.ts';

const maxRules = 100;
/** Of all rules together: a document of 64 KB has room for no more. */
const maxElements = 4000;
const methods: ReadonlySet<string> = new Set(['GET', 'PUT', 'POST', 'DELETE', 'HEAD']);
const ruleElements: ReadonlySet<string> = new Set([
  'ID',
  'AllowedMethod',
  'AllowedOrigin',
  'AllowedHeader',
  'ExposeHeader',
  'MaxAgeSeconds',
]);

/** MalformedXML; InvalidRequest for what no rule may say. https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html */
export function parseCorsXml(body: string): readonly CorsRule[] {
  const { children } = parseXml(body, 'CORSConfiguration', maxElements);
  if (children.length === 0 || children.length > maxRules) throw new S3Error('MalformedXML');
  return children.map(parseRule);
}

function parseRule(rule: XmlElement): CorsRule {
  const isRule = rule.name === 'CORSRule';
  if (!isRule || rule.children.some(({ name, children }) => !ruleElements.has(name) || children.length > 0)) {
    throw new S3Error('MalformedXML');
  }
  const textsOf = (name: string) =>
    rule.children.filter((child) => child.name === name).map(({ text }) => text);
  const allowedMethods = textsOf('AllowedMethod');
  const allowedOrigins = textsOf('AllowedOrigin');
  if (allowedMethods.length === 0 || allowedOrigins.length === 0) throw new S3Error('MalformedXML');
  const id = atMostOne(textsOf('ID'));
  const maxAge = atMostOne(textsOf('MaxAgeSeconds'));
  const allowedHeaders = textsOf('AllowedHeader');
  const exposeHeaders = textsOf('ExposeHeader');
  refuseMethods(allowedMethods);
  refuseWildcards('AllowedOrigin', allowedOrigins);
  refuseWildcards('AllowedHeader', allowedHeaders);
  refuseExposed(exposeHeaders);
  return {
    ...(id === undefined ? {} : { id }),
    allowedMethods,
    allowedOrigins,
    allowedHeaders,
    exposeHeaders,
    ...(maxAge === undefined ? {} : { maxAgeSeconds: parseSeconds(maxAge) }),
  };
}

function atMostOne(texts: readonly string[]): string | undefined {
  if (texts.length > 1 || (texts[0]?.length ?? 0) > 255) throw new S3Error('MalformedXML');
  return texts[0];
}

function parseSeconds(text: string): number {
  if (!/^\s*\d{1,9}\s*$/.test(text)) throw new S3Error('MalformedXML');
  return Number(text);
}

function refuseMethods(allowed: readonly string[]): void {
  const unknown = allowed.find((method) => !methods.has(method));
  if (unknown === undefined) return;
  throw invalid(`Found unsupported HTTP method in CORS config. Unsupported method is ${unknown}`);
}

function refuseWildcards(name: string, patterns: readonly string[]): void {
  const wild = patterns.find((pattern) => pattern.split('*').length > 2);
  if (wild !== undefined) throw invalid(`${name} "${wild}" can not have more than one wildcard.`);
}

function refuseExposed(names: readonly string[]): void {
  const wild = names.find((name) => name.includes('*'));
  if (wild !== undefined) {
    throw invalid(
      `ExposeHeader "${wild}" contains wildcard. We currently do not support wildcard for ExposeHeader.`,
    );
  }
  // They go out in a header, which could hold nothing else.
  const broken = names.find((name) => !isHeaderName(name));
  if (broken !== undefined) throw invalid(`ExposeHeader "${broken}" contains invalid character.`);
}

function invalid(message: string): S3Error {
  return new S3Error('InvalidRequest', { message });
}

export function corsXml(rules: readonly CorsRule[]): string {
  return rootElement(
    'CORSConfiguration',
    rules.map((rule) =>
      element('CORSRule', [
        optionalElement('ID', rule.id),
        ...rule.allowedMethods.map((method) => textElement('AllowedMethod', method)),
        ...rule.allowedOrigins.map((origin) => textElement('AllowedOrigin', origin)),
        ...rule.allowedHeaders.map((name) => textElement('AllowedHeader', name)),
        ...rule.exposeHeaders.map((name) => textElement('ExposeHeader', name)),
        optionalElement('MaxAgeSeconds', rule.maxAgeSeconds),
      ]),
    ),
  );
}
