import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SourceSettings } from '../config/settings.ts';

const GIGABYTE = 1e9;
/** Whatever is checked, and even where nothing could be looked at. */
const DEADLINE_MS_MIN = 5 * 60_000;
/** A check, the copies, and every candidate with its gates: each reads the database once or more. */
const READS = 4;
const FILES_MAX = 100_000;

/** Files that may be databases, by `databases.depth`; names alone, since the daemon opens none of them. */
export async function filesOf(source: SourceSettings): Promise<string[]> {
  const files: string[] = [];
  const visit = async (directory: string, depth: number): Promise<void> => {
    const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (files.length >= FILES_MAX) return;
      const path = join(directory, entry.name);
      if (entry.isFile()) files.push(path);
      else if (entry.isDirectory() && depth < source.databases.depth) await visit(path, depth + 1);
    }
  };
  for (const root of source.roots) if (root.class === 'data') await visit(root.path, 0);
  return files;
}

/**
 * When a recover job must have hung: several times what reading all of these files takes at the pace the settings
 * allow. The engine's own deadlines end a database that is merely slow much earlier.
 */
export async function recoveryDeadlineMs(
  { recovery }: SourceSettings,
  paths: readonly string[],
): Promise<number> {
  let bytes = 0;
  for (const path of paths)
    bytes += await lstat(path).then(
      ({ size }) => size,
      () => 0,
    );
  const readMs = (bytes / GIGABYTE) * recovery.deadlineMsPerGigabyte;
  return Math.ceil(DEADLINE_MS_MIN + READS * readMs);
}
