import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';
import { systemCode } from '../../kernel/errors.ts';

/** docs/format.md, Removal: who reads which snapshot. */
export const leaseSchema = z.strictObject({
  snapshot: z.string().regex(/^[0-9a-f]{64}$/),
  purpose: z.string().max(200),
  host: z.string().max(256),
  bootId: z.string().max(100).nullable(),
  pid: z.int().positive(),
  since: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});

export type Lease = z.infer<typeof leaseSchema>;

/** Null where the system tells none. */
export function currentBootId(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return null;
  }
}

/** Whether nobody can hold it any more: it expired, or its process ended. */
export function isStale(lease: Lease, nowMs: number): boolean {
  if (Date.parse(lease.expiresAt) <= nowMs) return true;
  if (lease.host !== hostname()) return false;
  return lease.bootId !== currentBootId() || !isRunning(lease.pid);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}
