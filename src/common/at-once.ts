/** What is at hand, or on its way: for paths on which waiting for what is at hand would cost more than the work itself. */
export type AtOnce<T> = T | Promise<T>;

/** Whether it has to be waited for. `T` itself is nothing with a method `then`. */
export function isPending<T>(value: AtOnce<T>): value is Promise<T> {
  return typeof (value as { readonly then?: unknown } | undefined)?.then === 'function';
}
