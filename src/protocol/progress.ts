import { z } from 'zod';
import { jobKind, jobProgress } from './job.ts';
import { nothing, time } from './scalars.ts';

export const progressMethods = {
  'progress.get': {
    summary:
      'What is being done now, in one answer: the running job that changes something, else any that runs.',
    params: nothing,
    result: z.object({
      inProgress: z.boolean(),
      /** All of them null while nothing runs. */
      jobId: z.string().nullable(),
      kind: jobKind.nullable(),
      sourceId: z.string().nullable(),
      startedAt: time.nullable(),
      /** Null until its first report too. */
      progress: jobProgress.nullable(),
    }),
  },
};
