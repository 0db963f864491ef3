/** What a reader accepts of a cache (RFC 9111, 5.2.1). */
export interface CacheDirectives {
  /** Nothing known counts unless the backend was asked. */
  readonly revalidate: boolean;
  /** What is known must be younger than this. */
  readonly maxAgeMs?: number;
  /** What is asked of the backend for this reader is not kept. */
  readonly noStore: boolean;
  /** The backend is not asked at all. */
  readonly onlyIfCached: boolean;
}

const none: CacheDirectives = { revalidate: false, noStore: false, onlyIfCached: false };

/** A directive and the comma behind it, or whatever stands before the next comma (RFC 9110, 5.6; RFC 9111, 5.2). */
const directive =
  /[ \t]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~0-9A-Za-z-]+)))?[ \t]*(?:,|$)|[^,]*(?:,|$))/gy;

/** The greatest age that is told apart: RFC 9111, 1.2.2, has it for values that overflow. */
const greatestSeconds = 2_147_483_648;

/**
 * The Cache-Control of a request. Of a directive that comes twice the stricter one counts; what is malformed or not known here is
 * passed over, and so are `max-stale` and `min-fresh`, which allow and wish for what a mount's freshness decides.
 */
export function parseCacheControl(header: string | undefined): CacheDirectives {
  if (header === undefined) return none;
  let { revalidate, noStore, onlyIfCached } = none;
  let maxAgeSeconds: number | undefined;
  for (const [, name, quoted, plain] of header.matchAll(directive)) {
    switch (name?.toLowerCase()) {
      case 'no-cache':
        revalidate = true;
        break;
      case 'no-store':
        noStore = true;
        break;
      case 'only-if-cached':
        onlyIfCached = true;
        break;
      case 'max-age': {
        const seconds = parseSeconds(quoted ?? plain);
        if (seconds !== undefined) maxAgeSeconds = Math.min(seconds, maxAgeSeconds ?? seconds);
        break;
      }
    }
  }
  if (maxAgeSeconds === 0) revalidate = true;
  const maxAgeMs = maxAgeSeconds === undefined || revalidate ? undefined : maxAgeSeconds * 1000;
  return { revalidate, noStore, onlyIfCached, ...(maxAgeMs === undefined ? {} : { maxAgeMs }) };
}

function parseSeconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Math.min(Number(text), greatestSeconds) : undefined;
}
