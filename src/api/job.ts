import type { Job, JobStatus } from '../jobs/job.ts';
import type { JobFilter } from '../jobs/job-store.ts';
import type { MethodResult, ValidParams } from '../protocol/method-map.ts';
import type { ApiContext } from './context.ts';
import type { HandlersOf } from './handler.ts';
import { jobInShort } from './job-in-short.ts';
import { withinBytes } from './pages.ts';
import { findSource } from './source-reference.ts';

/** Pages of the queue looked through for one page of an answer, when several states are asked for. */
const PAGES_SEARCHED_MAX = 20;

export const jobHandlers: HandlersOf<'job'> = {
  'job.list': (params, context) => listJobs(params, context),
  'job.get': ({ id }, { jobs }) => jobs.get(id),
  'job.cancel': ({ id }, { jobs }) => jobs.cancel(id),
  'job.logs': ({ id, fromSeq, limit }, { jobs }) => {
    // Asked before the lines are read: a job found finished has no more of them.
    const finished = isFinished(jobs.get(id).status);
    const page = jobs.logs(id, { afterSeq: fromSeq - 1, limit });
    const items = withinBytes(page.items);
    const nextSeq = (items.at(-1)?.seq ?? fromSeq - 1) + 1;
    const more = page.more || items.length < page.items.length;
    return { items, nextSeq, nextCursor: more ? String(nextSeq) : null, finished };
  },
  'job.statistics': ({ sourceId }, { jobs, settings }) => ({
    items: jobs.statistics(sourceId === undefined ? null : findSource(settings, sourceId).id),
  }),
  'job.wait': async ({ id, timeoutMs }, { jobs }, { peer }) => {
    const job = await jobs.wait(id, timeoutMs, peer.signal);
    return { finished: isFinished(job.status), job };
  },
};

const isFinished = (status: JobStatus): boolean => status !== 'queued' && status !== 'running';

function listJobs(
  { status, kind, sourceId, limit, cursor }: ValidParams<'job.list'>,
  { jobs, settings }: ApiContext,
): MethodResult<'job.list'> {
  const [only, ...others] = status ?? [];
  const filter: JobFilter = {
    ...(only !== undefined && others.length === 0 ? { status: only } : {}),
    ...(kind === undefined ? {} : { kind }),
    ...(sourceId === undefined ? {} : { sourceId: findSource(settings, sourceId).id }),
  };
  const items: Job[] = [];
  let nextCursor = cursor ?? null;
  for (let page = 0; page < PAGES_SEARCHED_MAX && items.length < limit; page += 1) {
    const found = jobs.list({ ...filter, limit: limit - items.length, cursor: nextCursor });
    items.push(...found.items.filter((job) => status?.includes(job.status) ?? true));
    nextCursor = found.nextCursor;
    if (nextCursor === null) break;
  }
  return { items: items.map(jobInShort), nextCursor };
}
