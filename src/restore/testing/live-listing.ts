import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { LiveEntry, LiveListing } from '../restore-request.ts';

/** Everything that stands in a directory, but for the logical paths that are left out. */
export function directoryListing(leftOut: readonly string[] = []): LiveListing {
  return {
    async list(directory, logicalPath) {
      const entries: LiveEntry[] = [];
      for (const name of (await readdir(directory)).sort()) {
        const path = join(directory, name);
        const status = await lstat(path);
        const kind = status.isDirectory() ? 'directory' : status.isFile() ? 'file' : 'symlink';
        const bytes = kind === 'file' ? status.size : 0;
        entries.push({ name, path, logicalPath: `${logicalPath}/${name}`, kind, bytes });
      }
      const wanted = entries.filter((entry) => !leftOut.includes(entry.logicalPath));
      return { entries: wanted, leavesOthers: wanted.length < entries.length };
    },
  };
}
