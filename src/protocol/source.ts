import { z } from 'zod';
import { count, listOf, page, sourceReference, time } from './scalars.ts';
import { scheduleState } from './schedule.ts';
import { rootClass } from './snapshot.ts';

/** What the daemon knows of a source without touching it. */

export const watchState = z.object({
  mode: z.enum(['events', 'polling', 'off']),
  /** Why it is not `events`; null when it is. */
  reason: z.string().nullable(),
});

export const databaseState = z.object({
  path: z.string(),
  state: z.enum([
    'unknown',
    'ok',
    'skipped',
    'recovered',
    'regressed',
    'needs-operator',
    'busy',
    'encrypted',
    'missing',
  ]),
  reason: z.string().nullable(),
  checkedAt: time.nullable(),
  reportId: z.string().nullable(),
});

export const sourceState = z.object({
  id: z.string(),
  name: z.string(),
  roots: z.array(
    z.object({
      class: rootClass,
      name: z.string().nullable(),
      path: z.string(),
      required: z.boolean(),
    }),
  ),
  databases: z.array(databaseState),
  watch: watchState,
  lastSnapshot: z.object({ id: z.string(), at: time, good: z.boolean() }).nullable(),
  lastGoodSnapshotAt: time.nullable(),
  lastVerifiedAt: time.nullable(),
  /** When a snapshot was last brought back to scratch and looked at, and whether all of it held; null: never. */
  lastDrillAt: time.nullable(),
  lastDrillOk: z.boolean().nullable(),
  /** The newest snapshot that passed a drill or a deep verification, `at` its moment. */
  lastKnownGood: z.object({ id: z.string(), at: time }).nullable(),
  /** The first change that no snapshot holds yet. */
  pendingChangeSince: time.nullable(),
  needsOperator: z.boolean(),
});

export const sourceDocument = z.object({
  ...sourceState.shape,
  enabled: z.boolean(),
  include: z.array(z.string()),
  /** The default patterns that hold for it; empty where they are turned off. */
  defaultExcludes: z.array(z.string()),
  exclude: z.array(z.string()),
  maxFileBytes: count.nullable(),
  /** Logs whose lines snapshots count. */
  countLines: z.array(z.string()),
  tags: z.array(z.string()),
  keys: z.array(
    z.object({ name: z.string(), path: z.string().nullable(), secret: z.string().nullable() }),
  ),
  optionalDatabases: z.array(z.string()),
  databaseDepth: count,
  databaseCheck: z.enum(['quick', 'full']),
  watchSettings: z.object({
    enabled: z.boolean(),
    quietMs: count,
    maxWaitMs: count,
    minGapMs: count,
    pollMs: count,
    usePolling: z.boolean(),
  }),
  recoveryOnBoot: z.enum(['recover', 'check', 'off']),
  schedules: z.array(scheduleState),
});

export const sourceMethods = {
  'source.list': {
    summary: 'The protected applications and the state of each.',
    params: z.strictObject({ ...page }),
    result: listOf(sourceState),
  },
  'source.get': {
    summary: 'One source: its state, rules and schedules.',
    params: z.strictObject({ sourceId: sourceReference }),
    result: sourceDocument,
  },
};
