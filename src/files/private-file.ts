import { closeSync, openSync } from 'node:fs';

/**
 * Makes an empty file for its owner alone, where there is none: SQLite would give one that it makes itself to whom
 * the umask allows. One that is there is not opened: closing it would drop the locks that this process has on it.
 * Where none can be made, SQLite says why when it is asked to open it.
 */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch {}
}
