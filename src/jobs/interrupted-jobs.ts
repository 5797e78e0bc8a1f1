import { existsSync } from 'node:fs';
import { type Clock, sleep } from '../kernel/clock.ts';
import { cannot, type ErrorDocument, systemCode } from '../kernel/errors.ts';
import type { Job } from './job.ts';
import type { JobEnd, JobStore } from './job-store.ts';
import { isWorkerOf, killHookProcesses, killProcessGroup } from './process-group.ts';

/** What a daemon that ended left behind in the queue. */

/** A worker ends within a second of its daemon by itself; a killed one at once. */
const LEFTOVER_MS_MAX = 5_000;
const LEFTOVER_CHECK_MS = 20;

export function interruption(state: string): ErrorDocument {
  return cannot('INTERRUPTED', 'finish', 'job', state, {
    hint: 'Submit it again.',
    retryable: true,
  }).toDocument();
}

/**
 * Fails the jobs that were running, once their workers are certainly gone, and ends the queued ones that nobody
 * waits for any more: those that the previous boot asked for, and those older than their own deadline.
 * Returns every job that it changed.
 */
export async function settleInterruptedJobs(store: JobStore, clock: Clock): Promise<Job[]> {
  const ended: Job[] = [];
  for (const job of store.running()) {
    if (job.workerPid !== null) await endLeftoverWorker(job.workerPid, job.id, clock);
    killHookProcesses(job.id);
    const error = interruption('the daemon ended while it ran');
    ended.push(store.finish(job.id, { ...UNRUN, status: 'failed', error }));
  }
  for (const job of store.queued()) {
    const end = endOfStale(job, clock.nowMs());
    if (end !== null) ended.push(store.finish(job.id, end));
  }
  return ended;
}

const UNRUN = { result: null, warnings: 0, progress: null } as const;

function endOfStale(job: Job, nowMs: number): JobEnd | null {
  if (job.actor === 'boot') {
    const error = interruption('it belonged to an earlier start of the daemon');
    return { ...UNRUN, status: 'cancelled', error };
  }
  if (job.deadlineMs === null || Date.parse(job.createdAt) + job.deadlineMs >= nowMs) return null;
  const state = `it was still queued ${job.deadlineMs} ms after it was submitted`;
  const error = cannot('TIMEOUT', 'start job', job.kind, state, { retryable: true }).toDocument();
  return { ...UNRUN, status: 'failed', error };
}

/** Resolves when no worker of this job runs any more, or it has proved unkillable. */
async function endLeftoverWorker(pid: number, jobId: string, clock: Clock): Promise<void> {
  const identified = existsSync('/proc/self/environ');
  const isThere = (): boolean => (identified ? isWorkerOf(pid, jobId) : exists(pid));
  // Without /proc the number may be a stranger's by now: the worker is left to end by itself.
  if (identified && isThere()) killProcessGroup(pid);
  const deadlineMs = clock.monotonicMs() + LEFTOVER_MS_MAX;
  while (isThere() && clock.monotonicMs() < deadlineMs) await sleep(clock, LEFTOVER_CHECK_MS);
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}
