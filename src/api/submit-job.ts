import type { JobRequest } from '../jobs/job-request.ts';
import type { MethodResult } from '../protocol/method-map.ts';
import type { ApiContext } from './context.ts';

/** Enqueues what a person asked for. Fields that are undefined are left out of the params. */
export function submitJob(
  context: ApiContext,
  { params, idempotencyKey, ...request }: UserJob,
): MethodResult<'snapshot.create'> {
  const { coalesced, ...job } = context.jobs.submit({
    deadlineMs: context.settings.worker.jobDeadlineMs,
    ...request,
    params: Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined)),
    actor: 'user',
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  });
  return { job, coalesced };
}

type UserJob = Pick<JobRequest, 'kind' | 'sourceId' | 'params' | 'mutating' | 'deadlineMs'> & {
  readonly idempotencyKey: string | undefined;
};
