import type { HookPhase, HookSettings } from '../config/hook-settings.ts';
import type { SourceSettings } from '../config/settings.ts';
import type { HookFacts } from '../hooks/hook-environment.ts';
import { failureOf, type HookResult, hookOf, runHook } from '../hooks/run-hook.ts';
import { cannot, messageOf } from '../kernel/errors.ts';
import { CANCEL_GRACE_MS } from '../kernel/limits.ts';
import type { OperationContext } from './operation.ts';

/** After a cancelled job its hook must be done before the worker is ended. */
const CANCELLED_HOOK_MS_MAX = CANCEL_GRACE_MS - 1_000;

export interface HookedWork {
  readonly kind: 'backup' | 'restore';
  readonly before: HookPhase;
  readonly after: HookPhase;
  /** Known before the work begins; a backup's is taken from its result. */
  readonly snapshotId: string | null;
}

/** What hooks and plugins of this job are told. */
export function hookFacts(
  { settings, jobId }: OperationContext,
  source: SourceSettings,
  { kind, snapshotId }: Pick<HookedWork, 'kind' | 'snapshotId'>,
): Omit<HookFacts, 'phase'> {
  const { id, name } = source;
  const { repositoryDirectory } = settings;
  const fixed = { jobId, kind, source: { id, name }, repositoryDirectory };
  return { ...fixed, snapshotId, status: null, error: null };
}

/**
 * Does the work between the hooks of the source. One before it that fails ends the job, unless it may go on; one after
 * it always runs, told how the work ended, and can only add a warning.
 * @throws HOOK_FAILED, and what the work throws
 */
export async function withHooks<Result extends Record<string, unknown>>(
  context: OperationContext,
  source: SourceSettings,
  work: HookedWork,
  run: () => Promise<Result>,
): Promise<Result & { readonly hooks: readonly HookResult[] }> {
  const facts = hookFacts(context, source, work);
  const hooks: HookResult[] = [];
  let end: Pick<HookFacts, 'status' | 'error' | 'snapshotId'> = {
    status: 'succeeded',
    error: null,
    snapshotId: work.snapshotId,
  };
  try {
    hooks.push(...(await runBefore(context, source, work.before, facts)));
    const result = await run();
    end = { ...end, snapshotId: snapshotIdOf(result) ?? end.snapshotId };
    return { ...result, hooks };
  } catch (error) {
    const status = context.activity.signal.aborted ? 'cancelled' : 'failed';
    end = { ...end, status, error: messageOf(error) };
    throw error;
  } finally {
    hooks.push(...(await runAfter(context, source, work.after, { ...facts, ...end })));
  }
}

const snapshotIdOf = ({ snapshotId }: Record<string, unknown>): string | null =>
  typeof snapshotId === 'string' ? snapshotId : null;

async function runBefore(
  context: OperationContext,
  source: SourceSettings,
  phase: HookPhase,
  facts: Omit<HookFacts, 'phase'>,
): Promise<HookResult[]> {
  const { activity } = context;
  const hook = hookOf(context.settings, source, phase);
  if (hook === null) return [];
  const result = await runIt(context, source, hook, { ...facts, phase }, activity.signal);
  if (result.ok) return [result];
  activity.signal.throwIfAborted();
  if (hook.continueOnError) {
    activity.warn(`The ${phase} hook failed: ${failureOf(result)}`);
    return [result];
  }
  throw cannot('HOOK_FAILED', `run ${phase} hook of`, source.name, failureOf(result), {
    hint: 'Look at its output, in the details and in the log of the job. Nothing else was done.',
    details: { ...result },
  });
}

async function runAfter(
  context: OperationContext,
  source: SourceSettings,
  phase: HookPhase,
  facts: Omit<HookFacts, 'phase'>,
): Promise<HookResult[]> {
  const { activity } = context;
  const hook = hookOf(context.settings, source, phase);
  if (hook === null) return [];
  const isCancelled = facts.status === 'cancelled';
  const timeoutMs = isCancelled ? Math.min(hook.timeoutMs, CANCELLED_HOOK_MS_MAX) : hook.timeoutMs;
  // After a cancelled job too: so its own signal, which is aborted then, cannot be what ends it.
  const signal = isCancelled ? new AbortController().signal : activity.signal;
  const bounded = { ...hook, timeoutMs };
  const result = await runIt(context, source, bounded, { ...facts, phase }, signal);
  if (!result.ok) activity.warn(`The ${phase} hook failed: ${failureOf(result)}`);
  return [result];
}

function runIt(
  context: OperationContext,
  source: SourceSettings,
  hook: HookSettings,
  facts: HookFacts,
  signal: AbortSignal,
): Promise<HookResult> {
  context.activity.progress({ phase: `${facts.phase} hook` });
  return runHook(hook, facts, directoryOf(source), hookContext(context), signal);
}

/** Where hooks run. */
export const directoryOf = ({ roots }: SourceSettings): string => roots[0]?.path ?? '/';

export function hookContext({ activity, clock, settings }: OperationContext) {
  return { activity, clock, shell: settings.hookShell };
}
