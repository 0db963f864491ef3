import type { Draws } from '../lib/draws.ts';
import type { Signed } from './signer.ts';

/** Where a bit is changed: in the method, the target, or the name or value of a header. */
interface Place {
  readonly text: string;
  readonly put: (changed: string) => Signed;
  readonly isName: boolean;
}

/**
 * The request with one bit changed of what was signed, so that it says something else; undefined where the bit that was drawn says nothing:
 * the case of a header's name or of an escape's digits, or white space that is not part of a value.
 */
export function flipped(draws: Draws, signed: Signed): Signed | undefined {
  const place = draws.pick(placesOf(signed));
  if (place.text === '') return undefined;
  const at = draws.below(place.text.length);
  const before = place.text.charCodeAt(at);
  const after = before ^ (1 << draws.below(7));
  if (before === 0x20 || before === 0x09 || after <= 0x20 || after >= 0x7f || before >= 0x7f)
    return undefined;
  if (Math.abs(before - after) === 0x20 && isLetter(before) && isLetter(after)) {
    if (place.isName || /%[0-9A-Fa-f]?$/.test(place.text.slice(0, at))) return undefined;
  }
  return place.put(place.text.slice(0, at) + String.fromCharCode(after) + place.text.slice(at + 1));
}

function isLetter(unit: number): boolean {
  return /[A-Za-z]/.test(String.fromCharCode(unit));
}

function placesOf(signed: Signed): readonly Place[] {
  const places: Place[] = [
    { text: signed.method, put: (method) => ({ ...signed, method }), isName: false },
    { text: signed.target, put: (target) => ({ ...signed, target }), isName: false },
  ];
  for (const [index, [name, value]] of signed.headers.entries()) {
    const put = (header: readonly [string, string]): Signed => ({
      ...signed,
      headers: signed.headers.with(index, header),
    });
    places.push({ text: name, put: (changed) => put([changed, value]), isName: true });
    places.push({ text: value, put: (changed) => put([name, changed]), isName: false });
  }
  return places;
}
