import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { makeDirectory, removeDurably, writeFileDurably } from '../../files/durable.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { cannot, systemCode } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { readDescriptor } from '../format/read-descriptor.ts';
import { layoutOf, manifestPath } from '../layout.ts';
import { currentBootId, type Lease } from './lease.ts';

export interface HeldLease {
  readonly id: string;
  readonly snapshotId: string;
  /** Twice is fine. */
  release(): Promise<void>;
}

/** Longer than any job: who is cut off from its host must not hold space for ever. */
const EXPIRY_MS = 24 * 60 * 60 * 1000;

/**
 * Protects a snapshot from removal and prune until it is released, its process ends, or a day went by. On a
 * read-only repository nothing can remove it, and no lease is written.
 * @throws NOT_FOUND where the snapshot is gone
 */
export async function acquireLease(
  repository: string,
  snapshotId: string,
  purpose: string,
  clock: Clock,
): Promise<HeldLease> {
  const layout = layoutOf(repository);
  const nowMs = clock.nowMs();
  const id = newId(nowMs);
  const path = join(layout.leases, `${id}.json`);
  const lease: Lease = {
    snapshot: snapshotId,
    purpose: purpose.slice(0, 200),
    host: hostname(),
    bootId: currentBootId(),
    pid: process.pid,
    since: isoTime(nowMs),
    expiresAt: isoTime(nowMs + EXPIRY_MS),
  };
  const written = await write(layout.leases, path, lease);
  const release = async (): Promise<void> => {
    if (written) await removeDurably(path);
  };
  // Written before the look: whoever removes snapshots looks at leases before it does.
  // So does who converts the repository, once its description names other data.
  const { folder } = await readDescriptor(layout);
  if (existsSync(manifestPath(layoutOf(repository, folder), snapshotId)))
    return { id, snapshotId, release };
  await release();
  throw cannot('NOT_FOUND', 'read snapshot', snapshotId, 'no snapshot has this id');
}

async function write(directory: string, path: string, lease: Lease): Promise<boolean> {
  try {
    await makeDirectory(directory);
    await writeFileDurably(path, `${JSON.stringify(lease)}\n`);
    return true;
  } catch (error) {
    if (['EROFS', 'EACCES', 'EPERM'].includes(systemCode(error) ?? '')) return false;
    throw error;
  }
}
