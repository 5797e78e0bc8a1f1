import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MEGABYTES = 256;
/** Too little for anything that is worth a backup. */
const LEFT_BYTES = 64 * 1024;

/** A small file system of its own, where that can be had. */
export function mountSmall(path: string): boolean {
  mkdirSync(path, { recursive: true });
  if (process.getuid?.() !== 0) return false;
  try {
    const options = `size=${MEGABYTES}m,mode=700`;
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export function unmount(path: string): void {
  execFileSync('umount', ['-l', path]);
}

/** Leaves hardly any room; returns what gives it back. */
export function fill(path: string): () => void {
  const filler = join(path, 'filler');
  const { bavail, bsize } = statfsSync(path);
  writeFileSync(filler, Buffer.alloc(bavail * bsize - LEFT_BYTES));
  return () => rmSync(filler);
}
