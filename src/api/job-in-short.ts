import type { Job } from '../jobs/job.ts';

const PARAMS_BYTES_MAX = 2048;

/** A job as lists and events carry it: without what can be large. */
export function jobInShort(job: Job): Job {
  const short = Buffer.byteLength(JSON.stringify(job.params)) <= PARAMS_BYTES_MAX;
  return {
    ...job,
    params: short ? job.params : {},
    result: null,
    error: job.error === null ? null : withoutDetails(job.error),
  };
}

function withoutDetails(error: NonNullable<Job['error']>): NonNullable<Job['error']> {
  const { details: _, ...rest } = error;
  return rest;
}
