import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { DiskTree } from './power-cut.ts';

const DARK_MS = 2 * 24 * 3_600_000;

/**
 * Lays a tree out in `root`, in place of whatever is there. Every file is the inode that it was in the recorded
 * run, taken from the `pool`: journals name inodes, and a power cut changes none.
 */
export function layOut(tree: DiskTree, root: string, pool: string): void {
  for (const name of readdirSync(root)) rmSync(join(root, name), { recursive: true });
  const modes: [string, number][] = [];
  // The power was gone for a while.
  const longAgo = (Date.now() - DARK_MS) / 1000;
  for (const [name, entry] of tree) {
    const path = join(root, name);
    if (entry.kind === 'directory') {
      mkdirSync(path, { mode: 0o700 });
      modes.push([path, entry.mode]);
      continue;
    }
    const inode = join(pool, entry.inode);
    if (entry.kind === 'file') {
      writeFileSync(inode, entry.content);
      chmodSync(inode, entry.mode);
      utimesSync(inode, longAgo, longAgo);
    }
    linkSync(inode, path);
  }
  for (const [path, mode] of modes.reverse()) chmodSync(path, mode);
}

/** Gives every inode below `root` its second name in the pool. */
export function fillPool(root: string, pool: string): void {
  mkdirSync(pool, { recursive: true });
  for (const name of readdirSync(root, { recursive: true }) as string[]) {
    const path = join(root, name);
    const status = lstatSync(path, { bigint: true });
    if (status.isDirectory()) continue;
    try {
      linkSync(path, join(pool, String(status.ino)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Every path below `root` as one line, to compare with what a replay says should be there. */
export function linesOfFolder(root: string): string[] {
  return (readdirSync(root, { recursive: true }) as string[])
    .filter((name) => !name.endsWith('-shm'))
    .map((name) => {
      const path = join(root, name);
      const status = lstatSync(path, { bigint: true });
      const mode = (Number(status.mode) & 0o7777).toString(8);
      if (status.isDirectory()) return `${name} directory ${mode}`;
      if (status.isSymbolicLink()) return `${name} symlink ${status.ino} ${readlinkSync(path)}`;
      if (!status.isFile()) return '';
      return `${name} file ${status.ino} ${mode} ${readFileSync(path).toString('base64')}`;
    })
    .filter(Boolean)
    .sort();
}

/** As linesOfFolder, of a tree that was not laid out. */
export function linesOfTree(tree: DiskTree): string[] {
  return [...tree]
    .map(([name, entry]) => {
      if (entry.kind === 'symlink') return `${name} symlink ${entry.inode} ${entry.target}`;
      const mode = entry.mode.toString(8);
      if (entry.kind === 'directory') return `${name} directory ${mode}`;
      return `${name} file ${entry.inode} ${mode} ${entry.content.toString('base64')}`;
    })
    .sort();
}
