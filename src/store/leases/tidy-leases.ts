import { join } from 'node:path';
import { unfinishedWrites } from '../../files/unfinished-writes.ts';
import type { Clock } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import type { Layout } from '../layout.ts';
import { unlinkAll } from '../removal/finish-removals.ts';
import { listLeases } from './list-leases.ts';

/**
 * Removes the leases of processes that are gone, and those that were never written to their end: nothing else would
 * ever do it. What cannot be read stays, for nobody can tell what it protects.
 */
export async function tidyLeases(layout: Layout, clock: Clock): Promise<void> {
  const { leases } = await listLeases(layout, clock).catch((error: unknown) => {
    // Too many to look at are for a person, and in nobody's way but a removal's.
    if (error instanceof HoldfastError && error.code === 'IN_USE') return { leases: [] };
    throw error;
  });
  const stale = leases.filter((lease) => lease.stale).map(({ id }) => `${id}.json`);
  const names = [...stale, ...(await unfinishedWrites(layout.leases, clock))];
  await unlinkAll(
    names.map((name) => join(layout.leases, name)),
    layout.leases,
  );
}
