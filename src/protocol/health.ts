import { z } from 'zod';
import { bootPhase, statusWarning } from './daemon.ts';
import { count, nothing, time } from './scalars.ts';

const healthCheck = z.object({
  name: z.string(),
  ok: z.boolean(),
  message: z.string().nullable(),
  durationMs: z.number(),
});

const liveness = z.object({
  live: z.boolean(),
  /** How late the event loop's timer last was, and at worst within the last minute. */
  eventLoopLagMs: z.number(),
  eventLoopLagMsMax: z.number(),
  uptimeMs: count,
});

const readiness = z.object({
  ready: z.boolean(),
  bootPhase,
  checks: z.array(healthCheck),
});

const hostFigures = z.object({
  at: time,
  memoryBytesTotal: count,
  memoryBytesAvailable: count,
  loadPerCpu: z.number(),
  cpus: count,
  fileSystems: z.array(
    z.object({
      mount: z.string(),
      /** What of ours is on it. */
      uses: z.array(z.enum(['state', 'repository'])),
      bytesTotal: count,
      bytesAvailable: count,
    }),
  ),
});

const sourceHealth = z.object({
  sourceId: z.string(),
  status: z.enum(['ok', 'warning', 'critical']),
  lastSnapshotAgeMs: count.nullable(),
  lastGoodSnapshotAgeMs: count.nullable(),
  lastVerifiedAgeMs: count.nullable(),
  lastDrillAgeMs: count.nullable(),
  lastDrillOk: z.boolean().nullable(),
  needsOperator: z.boolean(),
  warnings: z.array(statusWarning),
});

export const healthMethods = {
  'health.live': {
    summary: 'Whether the process does its work; the one probe that may justify a restart.',
    params: nothing,
    result: liveness,
  },
  'health.ready': {
    summary: 'Whether boot is done, state can be written and the repository be reached.',
    params: nothing,
    result: readiness,
  },
  'health.report': {
    summary: 'Liveness, readiness, the freshness of every source, and figures of the host.',
    params: nothing,
    result: z.object({
      /** Freshness makes a warning, never an unready daemon: restarting would not make a snapshot younger. */
      status: z.enum(['ok', 'warning', 'critical']),
      at: time,
      live: liveness,
      ready: readiness,
      sources: z.array(sourceHealth),
      warnings: z.array(statusWarning),
      /** Null where the figures could not be had in time. */
      host: hostFigures.nullable(),
    }),
  },
};
