import { z } from 'zod';
import { count, listOf, page, time } from './scalars.ts';

const auditRow = z.object({
  sequence: count,
  at: time,
  /** The method that was called, or what the daemon decided of its own accord. */
  action: z.string(),
  actor: z.enum(['user', 'daemon']),
  /** As the client called itself in `daemon.hello`. */
  client: z.string().nullable(),
  /** Of the process at the other end of the socket, by the kernel's word; null where it has none. */
  uid: z.int().nullable(),
  gid: z.int().nullable(),
  pid: z.int().nullable(),
  /** In short, and without secrets. */
  params: z.unknown(),
  /** `ok`, or the code of the error; null: the daemon ended before the answer. */
  outcome: z.string().nullable(),
  jobId: z.string().nullable(),
});

export const auditMethods = {
  'audit.list': {
    summary: 'Who changed what, newest first; the newest ten thousand changes are kept.',
    params: z.strictObject({ action: z.string().max(100).optional(), ...page }),
    result: listOf(auditRow),
  },
};
