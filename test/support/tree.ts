import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Every path below a directory with the hash of what is there: two equal records are two equal trees. */
export function treeHashes(directory: string): Record<string, string> {
  const record: Record<string, string> = {};
  for (const name of readdirSync(directory, { recursive: true }) as string[]) {
    const path = join(directory, name);
    const stat = lstatSync(path);
    if (stat.isDirectory()) record[name] = 'directory';
    else if (stat.isSymbolicLink()) record[name] = `link to ${readlinkSync(path)}`;
    else record[name] = createHash('sha256').update(readFileSync(path)).digest('hex');
  }
  return record;
}

/** Files below a directory, or none where it is missing. */
export function filesIn(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return (readdirSync(directory, { recursive: true }) as string[]).filter((name) =>
    lstatSync(join(directory, name)).isFile(),
  );
}
