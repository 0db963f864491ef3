/** One answer as it stood on the wire. */
export interface WireAnswer {
  readonly status: number;
  readonly body: string;
}

export interface ReadAnswers {
  readonly answers: readonly WireAnswer[];
  /** What is wrong with the bytes as a sequence of whole answers (RFC 9112). */
  readonly problem?: string;
}

/** All answers in what one connection received. None may be that to a HEAD. */
export function readAnswers(text: string): ReadAnswers {
  const answers: WireAnswer[] = [];
  let rest = text;
  while (rest !== '') {
    const taken = takeAnswer(rest);
    if (typeof taken === 'string')
      return { answers, problem: `${taken}: ${JSON.stringify(rest.slice(0, 300))}` };
    if (taken.answer.status >= 200) answers.push(taken.answer);
    rest = taken.rest;
  }
  return { answers };
}

function takeAnswer(text: string): { answer: WireAnswer; rest: string } | string {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return 'an answer whose head has no end';
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3}) [\x20-\x7e]*$/.exec(statusLine)?.[1] ?? 0);
  if (status === 0) return 'a status line that is none';
  const headers = new Map<string, string>();
  for (const line of lines) {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t\x20-\x7e\x80-\xff]*)$/.exec(line);
    if (match === null) return `a header that is none, ${JSON.stringify(line)}`;
    const name = (match[1] ?? '').toLowerCase();
    if (headers.has(name) && (name === 'content-length' || name === 'transfer-encoding'))
      return `two headers ${name}`;
    headers.set(name, match[2] ?? '');
  }
  const rest = text.slice(end + 4);
  if (status < 200 || status === 204 || status === 304) return { answer: { status, body: '' }, rest };
  if (headers.get('transfer-encoding') === 'chunked') return takeChunked(status, rest);
  const length = headers.get('content-length');
  if (length === undefined) return { answer: { status, body: rest }, rest: '' };
  if (rest.length < Number(length)) return 'an answer that ends early';
  return { answer: { status, body: rest.slice(0, Number(length)) }, rest: rest.slice(Number(length)) };
}

function takeChunked(status: number, text: string): { answer: WireAnswer; rest: string } | string {
  let [body, rest] = ['', text];
  for (;;) {
    const match = /^([0-9a-f]+)\r\n/i.exec(rest);
    if (match === null) return 'a chunk that is none';
    const size = Number.parseInt(match[1] ?? '', 16);
    const start = match[0].length;
    if (rest.slice(start + size, start + size + 2) !== '\r\n') return 'a chunk that ends early';
    body += rest.slice(start, start + size);
    rest = rest.slice(start + size + 2);
    if (size === 0) return { answer: { status, body }, rest };
  }
}
