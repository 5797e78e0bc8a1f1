import { createHash, type Hash } from 'node:crypto';
import { identify } from '../files/entry-identity.ts';
import type { PlannedEntry, RestorePlan } from './restore-request.ts';

/** Says whether a plan made now is the one that was made before: the same actions on the same, unchanged targets. */

async function addTarget(hash: Hash, path: string, isDirectory: boolean): Promise<void> {
  const now = await identify(path);
  if (now === null) hash.update('absent\n');
  // A directory's size and time change with what is in it, and that is planned by itself.
  else if (isDirectory) hash.update(`${now.kind} ${now.mode}\n`);
  else hash.update(`${now.kind} ${now.inode} ${now.bytes} ${now.mtimeNs} ${now.mode}\n`);
}

/** Bytes waiting beside a database are a part of it; -shm changes with every reader, an empty WAL holds nothing. */
async function addSidecars(hash: Hash, target: string): Promise<void> {
  for (const suffix of ['-wal', '-journal']) {
    const now = await identify(`${target}${suffix}`);
    if (now !== null && now.bytes > 0) hash.update(`${suffix} ${now.bytes} ${now.mtimeNs}\n`);
  }
}

async function addEntry(hash: Hash, entry: PlannedEntry): Promise<void> {
  const { action, logicalPath, target, type, bytes, reason, insideNew, family } = entry;
  hash.update(`${JSON.stringify([action, logicalPath, target, type, bytes, reason ?? null])}\n`);
  if (insideNew) return;
  await addTarget(hash, target, type === 'directory');
  if (family) await addSidecars(hash, target);
}

/** SHA-256, hex, of a plan and of what stands at its targets. Opens nothing. */
export async function planFingerprint(plan: RestorePlan): Promise<string> {
  const hash = createHash('sha256').update(`${plan.snapshotId}\n`);
  for (const entry of plan.entries) await addEntry(hash, entry);
  for (const { logicalPath, target, type, family } of plan.deletions) {
    hash.update(`${JSON.stringify(['delete', logicalPath, target, type])}\n`);
    await addTarget(hash, target, type === 'directory');
    if (family) await addSidecars(hash, target);
  }
  return hash.digest('hex');
}
