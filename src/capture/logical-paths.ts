/** True when `path` is `directory` or inside it, compared by whole components. Works for `/`-separated paths of any kind. */
export function isAtOrBelow(path: string, directory: string): boolean {
  if (path === directory) return true;
  return path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}

/**
 * A set of paths, each with all below it, asked about every file of a walk: answers in the time of one path's
 * length, however many there are.
 */
export class PathLimits {
  readonly #limits: ReadonlySet<string>;
  /** Every directory on the way to one of them. */
  readonly #ancestors = new Set<string>();

  constructor(limits: readonly string[]) {
    this.#limits = new Set(limits);
    for (const limit of limits) {
      for (const ancestor of ancestorsOf(limit)) this.#ancestors.add(ancestor);
    }
  }

  /** True when the path is one of them or inside one. */
  holds(path: string): boolean {
    return this.#limits.has(path) || ancestorsOf(path).some((each) => this.#limits.has(each));
  }

  /** What a walk towards or below one of them passes through. */
  isOnTheWay(path: string): boolean {
    return this.#ancestors.has(path) || this.holds(path);
  }
}

/** `a/b/c` → `a`, `a/b`. */
function ancestorsOf(path: string): string[] {
  const ancestors: string[] = [];
  for (let at = path.indexOf('/', 1); at !== -1; at = path.indexOf('/', at + 1)) {
    ancestors.push(path.slice(0, at));
  }
  return ancestors;
}
