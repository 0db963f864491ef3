/** How old cached metadata may be: `always` asks the backend at each open; `lease` allows `ms`; `immutable` never asks again. */
export type Freshness =
  | { readonly kind: 'always' }
  | { readonly kind: 'lease'; readonly ms: number }
  | { readonly kind: 'immutable' };

/**
 * The freshness where a policy may ask for another than the mount. A mount that is always asked stays so: changes there need not wait for
 * anybody, which they would have to if some node kept what it knows.
 */
export function freshnessUnder(
  mount: Freshness,
  policy: { readonly freshness: Freshness | undefined } | undefined,
): Freshness {
  return policy?.freshness === undefined || isAlwaysAsked(mount) ? mount : policy.freshness;
}

export function isAlwaysAsked(freshness: Freshness): boolean {
  return freshness.kind === 'always' || (freshness.kind === 'lease' && freshness.ms === 0);
}
