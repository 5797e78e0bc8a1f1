import { z } from 'zod';
import { bandwidth } from './bandwidth.ts';
import { idempotencyKey, submitted } from './job.ts';
import { count, hostPath, listOf, nothing, time } from './scalars.ts';

export const repositoryStatistics = z.object({
  repositoryId: z.string(),
  path: z.string(),
  encrypted: z.boolean(),
  snapshots: count,
  packs: count,
  packBytes: count,
  chunks: count,
  deltaChunks: count,
  uniqueBytes: count,
  rawBytes: count,
});

const lastRun = z.object({ jobId: z.string(), at: time, ok: z.boolean() });

const statisticsDocument = z.object({
  ...repositoryStatistics.shape,
  oldestAt: time.nullable(),
  newestAt: time.nullable(),
  /** `rawBytes`: what plain copies would take; `addedBytes`: what its snapshots added when they were taken. */
  perSource: z.array(
    z.object({
      sourceId: z.string(),
      sourceName: z.string(),
      snapshots: count,
      rawBytes: count,
      addedBytes: count,
    }),
  ),
  /** Of the snapshots there are: the last thirty days in UTC, today last. */
  addedPerDay: z.array(z.object({ day: z.string(), snapshots: count, addedBytes: count })),
  /** A process writes at this moment. */
  lockPresent: z.boolean(),
  /** Null where no such job is remembered, and without a daemon. */
  lastCheck: lastRun.nullable(),
  lastPrune: z.object({ ...lastRun.shape, bytesFreed: count.nullable() }).nullable(),
});

const keySlot = z.object({
  id: z.string(),
  kind: z.enum(['keyFile', 'passphrase']),
  createdAt: time,
});

const lockHolder = z.object({ pid: z.int(), purpose: z.string(), since: time });

const repositoryLocks = z.object({
  locked: z.boolean(),
  holder: lockHolder.nullable(),
  leases: z.array(
    z.object({
      id: z.string(),
      snapshot: z.string(),
      purpose: z.string(),
      host: z.string(),
      bootId: z.string().nullable(),
      pid: z.int(),
      since: time,
      expiresAt: time,
      /** Expired, or its process is gone: it protects nothing. */
      stale: z.boolean(),
    }),
  ),
  unreadable: z.array(z.string()),
});

export const repositoryMethods = {
  'repository.statistics': {
    summary:
      'Sizes and counts of the repository, what each source adds, and when it was last checked and pruned.',
    params: nothing,
    result: statisticsDocument,
  },
  'repository.init': {
    summary:
      'Enqueues making the repository, where there is none. The daemon does so by itself. With `encrypt` a key must be configured; a key file that is not there is made.',
    params: z.strictObject({ encrypt: z.boolean().default(false), idempotencyKey }),
    result: submitted,
  },
  'repository.check': {
    summary:
      'Enqueues a check of the whole repository. With `repair` what can be saved of a damaged one is saved, damaged files are moved to `set-aside/`, and the result tells of each snapshot whether it is whole, repaired, or what it lost; with `dryRun` besides nothing is changed.',
    params: z.strictObject({
      repair: z.boolean().default(false),
      dryRun: z.boolean().default(false),
      readData: z
        .union([
          z.enum(['none', 'all']),
          z.strictObject({ percent: z.number().gt(0).max(100), seed: z.int().nonnegative() }),
        ])
        .default('none'),
      bandwidth,
      idempotencyKey,
    }),
    result: submitted,
  },
  'repository.prune': {
    summary: 'Enqueues a prune: gives back the space of what no snapshot needs.',
    params: z.strictObject({ dryRun: z.boolean().default(false), bandwidth, idempotencyKey }),
    result: submitted,
  },
  'repository.locks': {
    summary: 'Who writes to the repository at this moment, and who reads which snapshot.',
    params: nothing,
    result: repositoryLocks,
  },
  'repository.unlock': {
    summary:
      "Removes leases whose process is gone. The writer's lock dies with its process: there is never one to remove.",
    params: nothing,
    result: z.object({ removedLeases: z.array(z.string()), lockPresent: z.boolean() }),
  },
  'repository.reconcile': {
    summary:
      'Enqueues the adoption of what the catalog does not know; damaged files are set aside, none is deleted. A dry run only lists them.',
    params: z.strictObject({ dryRun: z.boolean().default(false), idempotencyKey }),
    result: submitted,
  },
  'repository.keys': {
    summary: 'The keys that open the repository: what they are and since when, nothing of them.',
    params: nothing,
    result: z.object({
      ...listOf(keySlot).shape,
      encrypted: z.boolean(),
      /** Files among them that are damaged, or of another repository. */
      unreadable: z.array(z.string()),
    }),
  },
  'repository.addKey': {
    summary:
      'Enqueues letting one more key open the repository; it is in a file on the host of the daemon, readable to its owner alone.',
    params: z.strictObject({
      kind: z.enum(['keyFile', 'passphrase']),
      path: hostPath,
      idempotencyKey,
    }),
    result: submitted,
  },
  'repository.removeKey': {
    summary: 'Enqueues taking a key out of use; never the last one, nor the one configured.',
    params: z.strictObject({ keyId: z.string().min(4).max(36), idempotencyKey }),
    result: submitted,
  },
  'repository.rotateKey': {
    summary:
      'Enqueues letting a new key open the repository in the place of another: of `keyId`, or of the one configured. The old one goes when the new one opens; name the new one in the configuration before the next start.',
    params: z.strictObject({
      kind: z.enum(['keyFile', 'passphrase']),
      path: hostPath,
      keyId: z.string().min(4).max(36).optional(),
      idempotencyKey,
    }),
    result: submitted,
  },
  'repository.accept': {
    summary:
      'Enqueues taking an encrypted repository as it stands for right, after somebody without the key has changed it or set it back: what was found then is found no more.',
    params: z.strictObject({ idempotencyKey }),
    result: submitted,
  },
  'repository.convert': {
    summary:
      'Enqueues sealing the repository anew where it stands, with a new master key that `keyPath` opens, or the configured key: encrypts one that is not, and replaces the master key of one that is. A dry run only says what it takes; `discard` gives up one that was interrupted.',
    params: z.strictObject({
      kind: z.enum(['keyFile', 'passphrase']).optional(),
      keyPath: hostPath.optional(),
      dryRun: z.boolean().default(false),
      discard: z.boolean().default(false),
      idempotencyKey,
    }),
    result: submitted,
  },
  'repository.copy': {
    summary:
      'Enqueues copying every snapshot into an encrypted repository in a new folder, with a new master key. The one there is stays as it is, and in use.',
    params: z.strictObject({
      to: hostPath,
      kind: z.enum(['keyFile', 'passphrase']),
      keyPath: hostPath,
      idempotencyKey,
    }),
    result: submitted,
  },
  'repository.rebuild': {
    summary: 'Enqueues a rebuild of the catalog from packs and manifests.',
    params: z.strictObject({ idempotencyKey }),
    result: submitted,
  },
};
