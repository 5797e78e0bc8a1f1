import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LOG_LINE_BYTES_MAX, LOG_LINES_PER_JOB_MAX } from '../kernel/limits.ts';
import type { JobLogLine } from './job.ts';
import { JobLogStore, LOG_BYTES_PER_JOB_MAX, TRUNCATION_MARK } from './job-log-store.ts';
import { FINISHED_JOBS_MAX, pruneJobs } from './job-pruning.ts';
import { JobStore } from './job-store.ts';
import { QueueFixture } from './testing/queue-fixture.ts';

let fixture: QueueFixture;
beforeEach(async () => {
  fixture = await QueueFixture.create();
});
afterEach(() => fixture.remove());

function started(): { id: string; log: (message: string) => void } {
  const request = { kind: 'check', params: {}, actor: 'user', mutating: true } as const;
  const { id } = fixture.queue.submit(request);
  const { hooks } = fixture.held.get(id)!;
  return { id, log: (message) => hooks.onMessage({ type: 'log', stream: 'event', message }) };
}

function readAll(id: string): JobLogLine[] {
  const lines: JobLogLine[] = [];
  for (let more = true; more; ) {
    const page = fixture.queue.logs(id, { afterSeq: lines.length, limit: 1_000 });
    lines.push(...page.items);
    more = page.more;
  }
  return lines;
}

const gapless = (lines: readonly JobLogLine[]): boolean =>
  lines.every(({ seq }, index) => seq === index + 1);

describe('the log of a job', () => {
  it('F49, M-24, M-D14: is numbered from 1 without gaps, is read as written, and survives a restart', async () => {
    const { id, log } = started();
    for (let index = 0; index < 1_000; index += 1) log(`line ${index}`);
    const live = readAll(id);
    expect(gapless(live)).toBe(true);
    expect(live.map(({ message }) => message)).toEqual(live.map((_, index) => `line ${index}`));
    expect(live).toHaveLength(1_000);
    await fixture.crash();
    expect(readAll(id)).toEqual(live);
  });

  it('F49: events carry exactly the lines that are durable, each once', async () => {
    const { id, log } = started();
    for (let index = 0; index < 700; index += 1) log(`line ${index}`);
    fixture.clock.advance(200);
    const heard = fixture.events.flatMap((event) => (event.type === 'job.log' ? event.lines : []));
    expect(heard).toHaveLength(700);
    expect(heard).toEqual(readAll(id));
    await fixture.held.get(id)!.end();
  });

  it('M-D12: a long or many-lined message becomes lines within the bound', () => {
    const { id, log } = started();
    log('one\ntwo');
    log('x'.repeat(LOG_LINE_BYTES_MAX + 1));
    expect(readAll(id).map(({ message }) => message.length)).toEqual([3, 3, LOG_LINE_BYTES_MAX, 1]);
  });

  it('M-D12: a flood of lines ends with a mark, and costs no more after it', async () => {
    const { id, log } = started();
    for (let index = 0; index < LOG_LINES_PER_JOB_MAX + 5_000; index += 1) log('x');
    const { lines } = lastOf(id);
    expect(lines).toBe(LOG_LINES_PER_JOB_MAX);
    const tail = fixture.queue.logs(id, { afterSeq: LOG_LINES_PER_JOB_MAX - 2 });
    expect(tail.items.map(({ message }) => message)).toEqual(['x', TRUNCATION_MARK]);
    await fixture.held.get(id)!.end();
    expect(fixture.queue.get(id).status).toBe('succeeded');
  });

  it('M-D12: a flood of bytes ends with a mark', () => {
    const { id, log } = started();
    const line = 'x'.repeat(LOG_LINE_BYTES_MAX);
    for (let bytes = 0; bytes < 2 * LOG_BYTES_PER_JOB_MAX; bytes += line.length) log(line);
    const { lines, text } = lastOf(id);
    expect(lines).toBe(LOG_BYTES_PER_JOB_MAX / LOG_LINE_BYTES_MAX);
    expect(text).toBe(TRUNCATION_MARK);
  });

  it('waits where state.db cannot be written, then goes on without a gap', () => {
    const { id, log } = started();
    log('before');
    fixture.queue.logs(id);
    fixture.state.connection.pragma('query_only = ON');
    for (let index = 0; index < 2_000; index += 1) log(`during ${index}`);
    fixture.clock.advance(500);
    fixture.state.connection.pragma('query_only = OFF');
    fixture.clock.advance(2_000);
    log('after');
    const lines = readAll(id);
    expect(gapless(lines)).toBe(true);
    const messages = lines.map(({ message }) => message);
    expect(messages.slice(0, 2)).toEqual(['before', 'during 0']);
    expect(messages.at(-1)).toBe('after');
    const lost = Number(/^(\d+) lines were lost/.exec(messages.at(-2)!)?.[1]);
    expect(lines.length - 3 + lost).toBe(2_000);
  });

  function lastOf(id: string): { lines: number; text: string } {
    const row = fixture.state.connection
      .prepare(
        `SELECT count(*) AS lines, max(seq) AS last FROM jobLogs
         WHERE jobSequence = (SELECT sequence FROM jobs WHERE id = ?)`,
      )
      .get(id) as { lines: number; last: number };
    expect(row.last).toBe(row.lines);
    const text = fixture.queue.logs(id, { afterSeq: row.last - 1 }).items[0]!.message;
    return { lines: row.lines, text };
  }
});

describe('pruning', () => {
  const store = (): JobStore => new JobStore(fixture.state, fixture.clock);
  const end = {
    status: 'succeeded',
    result: null,
    error: null,
    warnings: 0,
    progress: null,
  } as const;

  function finished(
    jobs: JobStore,
    id: string,
    kind: 'check' | 'prune' = 'check',
    params: Record<string, unknown> = {},
  ): void {
    jobs.insert({
      id,
      kind,
      sourceId: null,
      params,
      actor: 'user',
      priority: 1,
      mutating: true,
      deadlineMs: null,
      coalesceKey: null,
      idempotencyKey: null,
    });
    jobs.finish(id, end);
  }

  it('keeps the newest finished jobs, by when they finished, and everything unfinished', () => {
    const jobs = store();
    fixture.state.transaction(() => {
      const { id } = started();
      for (let index = 0; index <= FINISHED_JOBS_MAX; index += 1) finished(jobs, `job ${index}`);
      expect(jobs.get('job 0')).toBeNull();
      expect(jobs.get('job 1')).not.toBeNull();
      expect(jobs.get(id)?.status).toBe('running');
      // Submitted first, finished last: it is the newest.
      jobs.finish(id, end);
      expect(jobs.get(id)?.status).toBe('succeeded');
      expect(jobs.get('job 1')).toBeNull();
    });
  });

  it('M-64: how the last of each kind ended stays known, however many others followed', () => {
    const jobs = store();
    fixture.state.transaction(() => {
      finished(jobs, 'weekly prune', 'prune');
      finished(jobs, 'rehearsal', 'prune', { dryRun: true });
      for (let index = 0; index < 20; index += 1) finished(jobs, `job ${index}`);
      pruneJobs(fixture.state.connection, { jobs: 5, logBytes: 1 });
    });
    expect(jobs.get('weekly prune')?.status).toBe('succeeded');
    expect(jobs.get('rehearsal')).not.toBeNull();
    expect(jobs.get('job 14')).toBeNull();
    expect(jobs.get('job 15')).not.toBeNull();
  });

  it('F47: keeps as many as is said, from the next end of a job on', () => {
    let kept = 100;
    const bounds = () => ({ jobs: kept, logBytes: 1_000_000 });
    const jobs = new JobStore(fixture.state, fixture.clock, bounds);
    for (let index = 0; index < 10; index += 1) finished(jobs, `job ${index}`);
    expect(jobs.get('job 0')).not.toBeNull();
    kept = 3;
    finished(jobs, 'one more');
    expect(jobs.get('job 7')).toBeNull();
    expect(jobs.get('job 8')).not.toBeNull();
    expect(() => jobs.require('job 7')).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('newest 3') }),
    );
  });

  it('drops the oldest logs beyond the total, and keeps their jobs', () => {
    const jobs = store();
    const logs = new JobLogStore(fixture.state);
    for (const id of ['old', 'middle', 'new']) {
      finished(jobs, id);
      logs.append(id, [{ at: 0, stream: 'event', message: 'x'.repeat(1_000) }]);
    }
    pruneJobs(fixture.state.connection, { jobs: 10, logBytes: 2_500 });
    expect(logs.read('old').items).toEqual([]);
    expect(logs.read('middle').items).toHaveLength(1);
    expect(logs.read('new').items).toHaveLength(1);
    expect(jobs.get('old')?.status).toBe('succeeded');
  });

  it('F47, M-05: a job that has ended cannot be ended again', () => {
    const jobs = store();
    finished(jobs, 'once');
    const before = jobs.get('once');
    expect(() => jobs.finish('once', { ...end, status: 'failed' })).toThrow(
      expect.objectContaining({ code: 'JOB_FINISHED' }),
    );
    expect(jobs.get('once')).toEqual(before);
  });
});
