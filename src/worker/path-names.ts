/**
 * Which cached names belong to a path of a mount, so that a path can be forgotten without a search.
 * Most objects have one page, so one name is held as a bare string; a Set is made only for more.
 */
export class PathNames {
  private readonly names = new Map<string, string | Set<string>>();

  add(incarnation: string, path: string, name: string): void {
    const at = `${incarnation}\0${path}`;
    const held = this.names.get(at);
    if (held === undefined || held === name) this.names.set(at, name);
    else if (typeof held === 'string') this.names.set(at, new Set([held, name]));
    else held.add(name);
  }

  remove(incarnation: string, path: string, name: string): void {
    const at = `${incarnation}\0${path}`;
    const held = this.names.get(at);
    if (held === name) this.names.delete(at);
    else if (typeof held === 'object') {
      held.delete(name);
      if (held.size === 0) this.names.delete(at);
    }
  }

  /** A copy, so that the caller may remove while it walks. */
  of(incarnation: string, path: string): string[] {
    const held = this.names.get(`${incarnation}\0${path}`);
    if (held === undefined) return [];
    return typeof held === 'string' ? [held] : [...held];
  }
}
