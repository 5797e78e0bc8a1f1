/** True when `path` is `directory` or inside it, compared by whole components. Works for `/`-separated paths of any kind. */
export function isAtOrBelow(path: string, directory: string): boolean {
  if (path === directory) return true;
  return path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}

/** True when either path contains the other: what a walk towards or below `limit` passes through. */
export function isOnTheWay(path: string, limit: string): boolean {
  return isAtOrBelow(path, limit) || isAtOrBelow(limit, path);
}
