import { BlockList, isIPv4 } from 'node:net';

/**
 * Whether a connection goes through the proxy, as Node's agents decide it of `NO_PROXY` (Node.js documentation, "Built-in Proxy
 * Support"): entries parted by commas, each `*`, a host, `host:port`, `.domain`, `*.domain` or `address-address`.
 */
export function usesProxy(host: string, port: number, noProxy: string | undefined): boolean {
  const name = host.toLowerCase();
  const entries = (noProxy ?? '').split(',').map((entry) => entry.trim().toLowerCase());
  return !entries.some((entry) => entry !== '' && names(entry, name, port));
}

function names(entry: string, name: string, port: number): boolean {
  if (entry === '*' || entry === name || entry === `${name}:${port}`) return true;
  if (entry.startsWith('.')) return name === entry.slice(1) || name.endsWith(entry);
  if (entry.startsWith('*.')) return name.endsWith(entry.slice(1));
  const [from = '', to = ''] = entry.split('-').map((address) => address.trim());
  if (!isIPv4(name) || !isIPv4(from) || !isIPv4(to)) return false;
  return isBetween(from, to, name);
}

function isBetween(from: string, to: string, address: string): boolean {
  const range = new BlockList();
  try {
    range.addRange(from, to);
  } catch {
    // The wrong way round: it holds no address.
    return false;
  }
  return range.check(address);
}
