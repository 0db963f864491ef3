/** Stands in answers of a node that does not hear from the coordination store: what they tell may have changed since. */
export const lastKnownHeader = 'x-forebay-last-known';
