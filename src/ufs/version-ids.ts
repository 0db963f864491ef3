/**
 * Ids of versions. The first 14 digits count down as time goes on, so that ids in order of their characters are versions from the newest to
 * the oldest; the other 18 are the beginning of the name of the version's body, so that who knows a body finds its version.
 */

/** The id of the one version of a key that was written while its bucket kept no versions (S3 User Guide, "How S3 Versioning works"). */
export const nullVersionId = 'null';

const orderDigits = 14;
const bodyDigits = 18;
const idPattern = /^[0-9a-f]{32}$/;
/** A millisecond holds so many versions of a key before its order runs ahead of the clock. */
const ordersPerMs = 1000;

export function isVersionId(text: string): boolean {
  return text === nullVersionId || idPattern.test(text);
}

/** `order` from `nextOrder`; `bodyId` is a UUID. */
export function versionIdOf(order: number, bodyId: string): string {
  return sortableOrder(order) + bodyDigitsOf(bodyId);
}

/** Sorts before those of smaller orders. */
export function sortableOrder(order: number): string {
  return (Number.MAX_SAFE_INTEGER - order).toString(16).padStart(orderDigits, '0');
}

/** What was the order of a text that begins with a sortable one. */
export function orderOf(text: string): number {
  return Number.MAX_SAFE_INTEGER - Number.parseInt(text.slice(0, orderDigits), 16);
}

export function bodyDigitsOf(bodyId: string): string {
  return bodyId.replaceAll('-', '').slice(0, bodyDigits);
}

/** The order of a version that has kept none: it was written when its bucket had no versioning. */
export function orderOfTime(lastModifiedMs: number): number {
  return lastModifiedMs * ordersPerMs;
}

/** The order of a version that is written now: greater than that of any before, however the clock was set. */
export function nextOrder(nowMs: number, newest: number | undefined): number {
  return Math.max(orderOfTime(nowMs), (newest ?? -1) + 1);
}
