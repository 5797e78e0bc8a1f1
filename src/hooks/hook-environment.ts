import { dirname } from 'node:path';
import { HOOK_JOB_VARIABLE } from '../jobs/process-group.ts';

/** What a hook is told, besides PATH, HOME, LANG and TZ. Never a secret. */
export interface HookFacts {
  readonly phase: string;
  readonly jobId: string;
  /** Kind of the job. */
  readonly kind: string;
  readonly source: { readonly id: string; readonly name: string };
  readonly repositoryDirectory: string;
  /** Of a backup that made one, and of every restore. */
  readonly snapshotId: string | null;
  /** After the work. */
  readonly status: 'succeeded' | 'failed' | 'cancelled' | null;
  /** What went wrong, for a hook after work that failed. */
  readonly error: string | null;
}

const ERROR_CHARACTERS_MAX = 1_000;

/** @param legacyNames the variables of an earlier system as well */
export function hookEnvironment(facts: HookFacts, legacyNames: boolean): Record<string, string> {
  const { phase, jobId, kind, source, repositoryDirectory, snapshotId, status, error } = facts;
  const optional = {
    HOLDFAST_SNAPSHOT_ID: snapshotId,
    HOLDFAST_JOB_STATUS: status,
    // NUL cannot stand in an environment.
    HOLDFAST_ERROR: error?.replaceAll('\0', ' ').slice(0, ERROR_CHARACTERS_MAX) ?? null,
  };
  const legacy = {
    THRUM_BACKUP_DIR: dirname(repositoryDirectory),
    THRUM_BACKUP_REPO: source.name,
    THRUM_BACKUP_CURRENT: repositoryDirectory,
  };
  return {
    HOLDFAST_PHASE: phase,
    HOLDFAST_JOB_ID: jobId,
    [HOOK_JOB_VARIABLE]: jobId,
    HOLDFAST_KIND: kind,
    HOLDFAST_SOURCE: source.name,
    HOLDFAST_SOURCE_ID: source.id,
    HOLDFAST_REPOSITORY_DIRECTORY: repositoryDirectory,
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== null)),
    ...(legacyNames ? legacy : {}),
  };
}
