import { createHash } from 'node:crypto';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A fresh directory, its path free of symlinks. */
export function freshDirectory(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-')));
}

export function removeDirectory(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** Every file below a directory: name, length, mtime and digest. For directories that nobody writes to. */
export function portrait(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const { size, mtimeNs } = lstatSync(path, { bigint: true });
      const digest = createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16);
      return `${path.slice(directory.length + 1)} ${size} ${mtimeNs} ${digest}`;
    })
    .sort();
}
