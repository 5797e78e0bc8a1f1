import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { cannot, systemCode } from '../../kernel/errors.ts';
import type { Layout } from '../layout.ts';
import { isStale, type Lease, leaseSchema } from './lease.ts';

export interface ListedLease extends Lease {
  readonly id: string;
  readonly stale: boolean;
}

const LEASE_NAME = /^([0-9a-f-]{36})\.json$/;
const LEASES_MAX = 10_000;

/** All of them, stale ones too. `unreadable` are damaged: nothing tells what they protect. */
export async function listLeases(
  layout: Layout,
  clock: Clock,
): Promise<{ leases: ListedLease[]; unreadable: string[] }> {
  const leases: ListedLease[] = [];
  const unreadable: string[] = [];
  for (const file of await leaseFiles(layout)) {
    const id = LEASE_NAME.exec(file)?.[1];
    if (id === undefined) continue;
    const text = await readFile(join(layout.leases, file), 'utf8').catch((error) => {
      if (systemCode(error) === 'ENOENT') return null;
      throw error;
    });
    // Released since the folder was listed.
    if (text === null) continue;
    const lease = parsed(text);
    if (lease === null) unreadable.push(file);
    else leases.push({ ...lease, id, stale: isStale(lease, clock.nowMs()) });
  }
  return { leases, unreadable };
}

/** @throws IN_USE where a lease cannot be read, or there are too many */
export async function leasedSnapshots(layout: Layout, clock: Clock): Promise<Set<string>> {
  const { leases, unreadable } = await listLeases(layout, clock);
  if (unreadable.length > 0) {
    const state = 'this lease cannot be read, so that anything may be in use';
    throw cannot('IN_USE', 'remove from repository', unreadable[0]!, state, {
      hint: 'Run "holdfast repository unlock" when nobody restores from this repository.',
      details: { unreadable: unreadable.slice(0, 20) },
    });
  }
  return new Set(leases.filter(({ stale }) => !stale).map(({ snapshot }) => snapshot));
}

async function leaseFiles(layout: Layout): Promise<string[]> {
  const files = await readdir(layout.leases).catch((error) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  if (files.length <= LEASES_MAX) return files;
  throw cannot('IN_USE', 'read leases of', layout.root, `there are ${files.length}`, {
    hint: 'Run "holdfast repository unlock".',
  });
}

function parsed(text: string): Lease | null {
  try {
    return leaseSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
