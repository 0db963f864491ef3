import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import type { Trace } from './trace.ts';

/** Requests of one trace at most, pages counted: 24 bytes of memory each, or so. */
const mostRequests = 50_000_000;

/**
 * Reads a trace: a line a request, `key,size`. The size is the object's, in bytes, and the last column; the key is all before its comma. A
 * first line without a number there is a heading; empty lines are passed over. An object longer than a page counts as its pages,
 * each an entry, as the page store keeps them. A key with another size is another version. Rejects with what is wrong, and in which line.
 */
export async function readTrace(path: string, pageBytes: number): Promise<Trace> {
  const collector = new Collector(pageBytes);
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line === '') continue;
    const comma = line.lastIndexOf(',');
    const size = line.slice(comma + 1).trim();
    if (comma > 0 && /^\d{1,15}$/.test(size)) collector.add(line.slice(0, comma), Number(size));
    else if (number > 1) throw new Error(`${path}, line ${number}: expected key,size`);
  }
  return collector.trace(basename(path));
}

class Collector {
  private readonly pageBytes: number;
  /** By key and size, the number of the object's first page. */
  private readonly firstPages = new Map<string, number>();
  private readonly sizes: number[] = [];
  private requests = new Uint32Array(1024);
  private count = 0;

  constructor(pageBytes: number) {
    this.pageBytes = pageBytes;
  }

  add(key: string, sizeBytes: number): void {
    const name = `${sizeBytes},${key}`;
    let first = this.firstPages.get(name);
    if (first === undefined) {
      first = this.sizes.length;
      this.firstPages.set(name, first);
      for (let at = 0; at < sizeBytes; at += this.pageBytes) {
        this.sizes.push(Math.min(this.pageBytes, sizeBytes - at));
      }
    }
    const pages = Math.ceil(sizeBytes / this.pageBytes);
    if (this.count + pages > mostRequests)
      throw new Error(`the trace has more than ${mostRequests} page reads`);
    for (let page = 0; page < pages; page++) this.push(first + page);
  }

  /** Nothing is left out as warming up: how a trace begins is a part of it. */
  trace(name: string): Trace {
    if (this.count === 0) throw new Error(`${name} has no request for a byte`);
    return {
      name,
      requests: this.requests.slice(0, this.count),
      sizes: Uint32Array.from(this.sizes),
      countedFrom: 0,
    };
  }

  private push(id: number): void {
    if (this.count === this.requests.length) {
      const larger = new Uint32Array(2 * this.count);
      larger.set(this.requests);
      this.requests = larger;
    }
    this.requests[this.count++] = id;
  }
}
