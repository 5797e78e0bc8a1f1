import type { HandlersOf } from './handler.ts';

/** More than can run at a time. */
const RUNNING_READ_MAX = 20;

export const progressHandlers: HandlersOf<'progress'> = {
  'progress.get': (_, { jobs }) => {
    const running = jobs.list({ status: 'running', limit: RUNNING_READ_MAX }).items;
    const job = running.find(({ mutating }) => mutating) ?? running.at(-1);
    return {
      inProgress: job !== undefined,
      jobId: job?.id ?? null,
      kind: job?.kind ?? null,
      sourceId: job?.sourceId ?? null,
      startedAt: job?.startedAt ?? null,
      progress: job?.progress ?? null,
    };
  },
};
