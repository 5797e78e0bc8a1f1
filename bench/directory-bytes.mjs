import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Sum of the lengths of all files below a directory. */
export function directoryBytes(path) {
  return readdirSync(path, { recursive: true }).reduce((sum, name) => {
    const stat = statSync(join(path, name), { throwIfNoEntry: false });
    return sum + (stat?.isFile() ? stat.size : 0);
  }, 0);
}
