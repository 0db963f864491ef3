import { MapObjectService } from './map-object-service.ts';
import { send } from './send.ts';

/** A service with one bucket, `abc`, that holds these keys, each with its own name as its bytes. */
export async function bucketWith(keys: readonly string[] = []): Promise<MapObjectService> {
  const service = new MapObjectService();
  await send(service, 'PUT', '/abc');
  for (const key of keys) await send(service, 'PUT', `/abc/${encodeURIComponent(key)}`, { body: key });
  return service;
}

/** The text of an XML element, its references resolved. */
export function plainText(text: string): string {
  const names: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', amp: '&' };
  return text.replace(/&(?:#x([0-9a-f]+)|(\w+));/g, (_, hex?: string, name = '') =>
    hex === undefined ? (names[name] ?? '') : String.fromCodePoint(Number.parseInt(hex, 16)),
  );
}
