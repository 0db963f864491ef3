import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { element, escapeText, rootElement, textElement } from '../../src/s3api/xml.ts';
import { leafTexts, parseXml } from '../../src/s3api/xml-reader.ts';

describe('writing', () => {
  test.each([
    ['<a> & "b" \'c\'', "&lt;a&gt; &amp; &quot;b&quot; 'c'"],
    ['\u0000\u0001\t\n\r\u001f', '&#x0;&#x1;&#x9;&#xa;&#xd;&#x1f;'],
    ['\u007f\u0085\u2028\ufffe', '&#x7f;&#x85;&#x2028;&#xfffe;'],
    ['é 名 😀', 'é 名 😀'],
  ])('%j is written %s', (text, written) => {
    expect(escapeText(text)).toBe(written);
  });

  test('whatever text is written is read back, white space and control characters too', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 50 }), (text) => {
        const document = rootElement('Root', [element('Outer', [textElement('Key', text)])]);
        expect(parseXml(document, 'Root', 10).children[0]?.children[0]?.text).toBe(text);
      }),
    );
  });
});

describe('reading', () => {
  test('takes elements, text, CDATA, comments, references and any namespace', () => {
    const root = parseXml(
      '\ufeff<?xml version="1.0" encoding="UTF-8"?>\n<!-- hello --><s3:Delete xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/" a="&lt;">\n' +
        '  <Object><Key> a &amp;&#x41;&#66;<![CDATA[<&amp;>]]><!-- no -->&apos; </Key></Object><Quiet/>\n</s3:Delete>\n',
      'Delete',
      100,
    );
    expect(root.children.map(({ name }) => name)).toEqual(['Object', 'Quiet']);
    expect(root.children[0]?.children[0]?.text).toBe(" a &AB<&amp;>' ");
    expect(root.children[1]).toEqual({ name: 'Quiet', text: '', children: [] });
  });

  test('refuses more elements than it is told there can be', () => {
    const document = (count: number) => `<a>${'<b/>'.repeat(count)}</a>`;
    expect(parseXml(document(100), 'a', 100).children).toHaveLength(100);
    expect(() => parseXml(document(300), 'a', 100)).toThrow(
      expect.objectContaining({ code: 'MalformedXML' }),
    );
  });

  const deep = (depth: number) => `${'<a>'.repeat(depth)}${'</a>'.repeat(depth)}`;

  test.each([
    ['nothing', ''],
    ['white space', ' \n'],
    ['no XML', '{"a": 1}'],
    ['another root', '<b/>'],
    ['two roots', '<a/><a/>'],
    ['text after the root', '<a/>b'],
    ['CDATA beside the root', '<a/><![CDATA[x]]>'],
    ['a tag that is not closed', '<a><b></a>'],
    ['a truncated document', '<a><b>text'],
    ['an attribute twice', '<a x="1" x="2"/>'],
    ['a DOCTYPE', '<!DOCTYPE a><a/>'],
    ['a doctype in lower case', '<!doctype a><a/>'],
    [
      'a billion laughs',
      '<!DOCTYPE a [<!ENTITY x "lol"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;&x;&x;">]><a>&y;</a>',
    ],
    ['an external entity', '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'],
    ['an unknown entity', '<a>&nbsp;</a>'],
    ['a bare ampersand', '<a>a & b</a>'],
    ['a reference that does not end', '<a>&lt</a>'],
    ['a reference to a surrogate', '<a>&#xd800;</a>'],
    ['a reference beyond Unicode', '<a>&#x110000;</a>'],
    ['a reference with no number', '<a>&#x;</a>'],
    ['a raw control character', '<a>\u0001</a>'],
    ['elements nested too deep', deep(100)],
    ['very many elements nested', deep(20_000)],
    ['a property of objects as a name', '<a><__proto__><x/></__proto__></a>'],
  ])('%s is malformed', (_what, document) => {
    expect(() => parseXml(document, 'a', 100_000)).toThrow(expect.objectContaining({ code: 'MalformedXML' }));
  });

  test('any text at all is an element or malformed, and nothing else', () => {
    const pieces = fc.constantFrom(
      '<a>',
      '</a>',
      '<a/>',
      '&',
      '&lt;',
      '&#',
      'x',
      ' ',
      '<!',
      '<!--',
      '-->',
      '<![CDATA[',
      ']]>',
      '<?',
      '?>',
      '"',
      '=',
      '<',
      '>',
      '\u0000',
      '__proto__',
      ':',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        try {
          expect(parseXml(`<a>${parts.join('')}</a>`, 'a', 100).name).toBe('a');
        } catch (error) {
          expect(error).toMatchObject({ code: 'MalformedXML' });
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('the leaves of an element are its schema and no more', () => {
    const leaves = (inner: string) => leafTexts(parseXml(`<a>${inner}</a>`, 'a', 100), ['Key', 'ETag']);
    expect(leaves('<ETag>e</ETag><Key>k</Key>')).toEqual({ ETag: 'e', Key: 'k' });
    for (const inner of ['<Key>1</Key><Key>2</Key>', '<Other/>', '<Key><x/></Key>']) {
      expect(() => leaves(inner)).toThrow(expect.objectContaining({ code: 'MalformedXML' }));
    }
  });
});
