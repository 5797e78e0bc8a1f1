import type { JobDocument } from '../protocol/method-map.ts';
import { EXIT, type ExitCode, exitCodeOfError } from './exit-codes.ts';
import { isFit, recoveredDatabases } from './recovered-databases.ts';

/** A job at its end, whoever ran it: the daemon, or a worker of this command. */
export interface FinishedJob {
  readonly id: string;
  readonly kind: JobDocument['kind'];
  readonly status: 'succeeded' | 'failed' | 'cancelled';
  readonly warnings: number;
  readonly result: Readonly<Record<string, unknown>> | null;
  readonly error: JobDocument['error'];
}

/** What a command that follows a job ends with under --json. */
export interface FinalDocument {
  readonly id: string;
  readonly kind: string;
  readonly status: string;
  readonly exitCode: ExitCode;
  readonly warnings: number;
  readonly stats: Readonly<Record<string, unknown>> | null;
  readonly snapshotId?: string;
  readonly error?: NonNullable<JobDocument['error']>;
}

export function exitCodeOfJob(job: FinishedJob): ExitCode {
  if (job.status === 'cancelled') return EXIT.cancelled;
  if (job.status === 'failed') {
    const code = job.error === null ? EXIT.failed : exitCodeOfError(job.error.code);
    return code;
  }
  if (job.kind === 'recover' && job.result?.['ok'] === false) {
    const databases = recoveredDatabases(job.result);
    return databases.length > 0 && databases.every(isFit) ? EXIT.warnings : EXIT.failed;
  }
  return job.warnings > 0 ? EXIT.warnings : EXIT.ok;
}

export function finalDocument(
  job: FinishedJob,
  exitCode: ExitCode = exitCodeOfJob(job),
): FinalDocument {
  const snapshotId = job.result?.['snapshotId'];
  return {
    id: job.id,
    kind: job.kind,
    status: job.status,
    exitCode,
    warnings: job.warnings,
    stats: job.result,
    ...(typeof snapshotId === 'string' ? { snapshotId } : {}),
    ...(job.error === null ? {} : { error: job.error }),
  };
}
