import type { z } from 'zod';
import type { alert } from './alert.ts';
import type { bootPhase, statusWarning } from './daemon.ts';
import type { eventNotification } from './event.ts';
import type { methods } from './methods.ts';
import type { scheduleState } from './schedule.ts';
import type { sourceState } from './source.ts';

/** The contract as types alone, for clients that must not carry the schemas. */

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

export type MethodName = keyof typeof methods;

/** What a client sends: fields with defaults may be left out. */
export type MethodParams<M extends MethodName> = DeepReadonly<
  z.input<(typeof methods)[M]['params']>
>;

/** What a handler receives: validated, defaults filled in. */
export type ValidParams<M extends MethodName> = DeepReadonly<
  z.output<(typeof methods)[M]['params']>
>;

export type MethodResult<M extends MethodName> = DeepReadonly<
  z.output<(typeof methods)[M]['result']>
>;

/** The params of an `event` notification. */
export type EventNotification = DeepReadonly<z.output<typeof eventNotification>>;

export type Alert = DeepReadonly<z.output<typeof alert>>;
export type AuditRow = MethodResult<'audit.list'>['items'][number];
export type DaemonStatus = MethodResult<'daemon.status'>;
export type SourceState = DeepReadonly<z.output<typeof sourceState>>;
/** What is known of a source beyond its settings. */
export type SourceFacts = Omit<SourceState, 'id' | 'name' | 'roots'>;
export type ScheduleState = DeepReadonly<z.output<typeof scheduleState>>;
export type ScheduleSetState = MethodResult<'schedule.set'>;
export type PendingRun = MethodResult<'pending.list'>['items'][number];
export type BootPhase = z.output<typeof bootPhase>;
export type StatusWarning = DeepReadonly<z.output<typeof statusWarning>>;
export type SnapshotDocument = MethodResult<'snapshot.get'>;
export type SnapshotItem = MethodResult<'snapshot.list'>['items'][number];
export type TreeItem = MethodResult<'tree.list'>['items'][number];
export type JobDocument = MethodResult<'job.get'>;
export type JobLogItem = MethodResult<'job.logs'>['items'][number];
export type DrillItem = MethodResult<'drill.list'>['items'][number];
export type RetentionItem = MethodResult<'retention.preview'>['items'][number];
export type QuarantineItem = MethodResult<'recovery.quarantineList'>['items'][number];
