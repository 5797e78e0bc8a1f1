import type { z } from 'zod';
import { onlySource } from '../config/choose-source.ts';
import type { Settings, SourceSettings } from '../config/settings.ts';
import type { JobKind } from '../jobs/job.ts';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';

/**
 * One operation per job kind: the only composer of engines. It runs in a worker, under the settings that were
 * frozen when the job started, and returns plain data: the job's result.
 */
export interface OperationContext {
  readonly activity: Activity;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly jobId: string;
  /** 0700, of this job alone, removed when it ends. */
  readonly scratchDirectory: string;
}

export interface Operation<Params> {
  readonly kind: JobKind;
  readonly params: z.ZodType<Params>;
  run(context: OperationContext, params: Params): Promise<Record<string, unknown>>;
}

/** @throws NOT_FOUND */
export function requireSource(settings: Settings, reference: string): SourceSettings {
  const source = settings.sources.find(({ id, name }) => id === reference || name === reference);
  if (source !== undefined) return source;
  throw cannot('NOT_FOUND', 'find source', reference, 'no source has this id or name', {
    hint: `Configured sources: ${settings.sources.map(({ name }) => name).join(', ') || 'none'}.`,
  });
}

/** The named source, or the only one. @throws INVALID_PARAMS when several could be meant */
export function sourceOrOnly(settings: Settings, reference: string | undefined): SourceSettings {
  return reference === undefined ? onlySource(settings) : requireSource(settings, reference);
}

/** Absolute paths that are never captured and never a restore's target: Holdfast's own. */
export function ownPaths(settings: Settings): string[] {
  const { path: store } = settings.artifacts.store;
  const own = [settings.repositoryDirectory, settings.stateDirectory, settings.socketPath];
  return store === null ? own : [...own, store];
}
