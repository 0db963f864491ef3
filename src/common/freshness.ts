/** How old cached metadata may be: `always` asks the backend at each open; `lease` allows `ms`; `immutable` never asks again. */
export type Freshness =
  | { readonly kind: 'always' }
  | { readonly kind: 'lease'; readonly ms: number }
  | { readonly kind: 'immutable' };
