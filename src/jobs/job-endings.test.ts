import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CANCEL_GRACE_MS } from '../kernel/limits.ts';
import type { Job } from './job.ts';
import type { JobRequest, SubmittedJob } from './job-request.ts';
import { QueueFixture, settle } from './testing/queue-fixture.ts';

let fixture: QueueFixture;
beforeEach(async () => {
  fixture = await QueueFixture.create();
});
afterEach(() => fixture.remove());

const submit = (request?: Partial<JobRequest>): SubmittedJob => fixture.submit(request);
const status = (job: Job): string => fixture.queue.get(job.id).status;
const refusal = (code: string): unknown => expect.objectContaining({ code });

describe('ends', () => {
  it.each([
    [{ status: 'succeeded', warnings: 0 }, 0],
    [{ status: 'succeeded', warnings: 2 }, 3],
    [{ status: 'failed', result: null }, 1],
    [{ status: 'cancelled', result: null }, 130],
  ] as const)('M-05, M-38, M-40: %j has exit code %i', async (outcome, exitCode) => {
    const job = submit();
    await fixture.held.get(job.id)!.end(outcome);
    expect(fixture.queue.get(job.id)).toMatchObject({ status: outcome.status, exitCode });
    expect(fixture.queue.get(job.id).finishedAt).not.toBeNull();
  });

  it('a reason of failure outlives the daemon', async () => {
    const job = submit();
    const error = { code: 'TIMEOUT', message: 'too slow', retryable: true } as const;
    await fixture.held.get(job.id)!.end({ status: 'failed', result: null, error });
    await fixture.crash();
    expect(fixture.queue.get(job.id).error).toEqual(error);
    expect(fixture.queue.logs(job.id).items.at(-1)?.message).toBe('failed: too slow');
  });

  it('wait() resolves with the end, or with the job as it is when the time is over', async () => {
    const job = submit();
    const patient = fixture.queue.wait(job.id, 60_000);
    const hasty = fixture.queue.wait(job.id, 1_000);
    fixture.clock.advance(1_000);
    expect((await hasty).status).toBe('running');
    await fixture.held.get(job.id)!.end();
    expect((await patient).status).toBe('succeeded');
    expect((await fixture.queue.wait(job.id, 0)).status).toBe('succeeded');
    await expect(fixture.queue.wait('no such', 1)).rejects.toEqual(refusal('NOT_FOUND'));
    expect(fixture.clock.pendingTimers).toBe(0);
  });

  it('a job whose end cannot be recorded holds its place until it can: nothing is forgotten', async () => {
    const job = submit();
    const next = submit();
    // As if the disk were full: no write gets through.
    fixture.state.connection.pragma('query_only = ON');
    await fixture.held.get(job.id)!.end();
    expect([status(job), status(next)]).toEqual(['running', 'queued']);
    expect(() => submit()).toThrow();
    fixture.state.connection.pragma('query_only = OFF');
    fixture.clock.advance(1_000);
    await settle();
    expect([status(job), status(next)]).toEqual(['succeeded', 'running']);
  });
});

describe('cancel()', () => {
  it('M-38, M-D13: a queued job is cancelled at once and never runs', async () => {
    const first = submit();
    const queued = submit();
    expect(fixture.queue.cancel(queued.id)).toMatchObject({ status: 'cancelled', exitCode: 130 });
    await fixture.held.get(first.id)!.end();
    expect(fixture.held.size).toBe(0);
    expect(status(queued)).toBe('cancelled');
  });

  it('F47, M-17, M-38: a running job is asked, and is cancelled once it says so', async () => {
    const job = submit();
    const held = fixture.held.get(job.id)!;
    expect(fixture.queue.cancel(job.id).status).toBe('running');
    expect(held.hooks.signal.aborted).toBe(true);
    fixture.queue.cancel(job.id);
    await held.end({ status: 'cancelled', result: null });
    expect(status(job)).toBe('cancelled');
  });

  it('M-38, M-17: a finished job: JOB_FINISHED; an unknown one: NOT_FOUND', async () => {
    const job = submit();
    await fixture.held.get(job.id)!.end();
    expect(() => fixture.queue.cancel(job.id)).toThrow(refusal('JOB_FINISHED'));
    expect(() => fixture.queue.cancel('no such')).toThrow(refusal('NOT_FOUND'));
    expect(status(job)).toBe('succeeded');
  });

  it('F47: in the middle of a swap: NOT_CANCELLABLE, until it is over', () => {
    const job = submit();
    const { hooks } = fixture.held.get(job.id)!;
    hooks.onMessage({ type: 'section', cancellable: false });
    expect(() => fixture.queue.cancel(job.id)).toThrow(refusal('NOT_CANCELLABLE'));
    expect(hooks.signal.aborted).toBe(false);
    hooks.onMessage({ type: 'section', cancellable: true });
    fixture.queue.cancel(job.id);
    expect(hooks.signal.aborted).toBe(true);
  });
});

describe('restart', () => {
  it('M-D13, F47: running jobs have failed as INTERRUPTED, queued ones run', async () => {
    const running = submit();
    const queued = submit();
    await fixture.crash();
    expect(fixture.queue.get(running.id)).toMatchObject({
      status: 'failed',
      exitCode: 1,
      error: { code: 'INTERRUPTED', retryable: true },
    });
    expect(status(queued)).toBe('running');
  });

  it('jobs of an earlier boot are dropped; so are those older than their deadline', async () => {
    submit();
    const boot = submit({ kind: 'recover', actor: 'boot' });
    const stale = submit({ deadlineMs: 1_000 });
    const patient = submit({ deadlineMs: 100_000 });
    fixture.clock.advance(2_000);
    await fixture.crash();
    expect([status(boot), status(stale), status(patient)]).toEqual([
      'cancelled',
      'failed',
      'running',
    ]);
  });

  it('T-52, F04: stop() lets running jobs finish, starts no others, and keeps the queued ones', async () => {
    const running = submit();
    const queued = submit();
    const stopped = fixture.queue.stop(60_000);
    expect(() => submit()).toThrow(refusal('NOT_READY'));
    await fixture.held.get(running.id)!.end();
    await stopped;
    expect([status(running), status(queued)]).toEqual(['succeeded', 'queued']);
    await fixture.crash();
    expect(status(queued)).toBe('running');
  });

  it('stop() ends what is not done in time, as interrupted, not as cancelled by somebody', async () => {
    const job = submit();
    const held = fixture.held.get(job.id)!;
    let over = false;
    const stopped = fixture.queue.stop(20_000).then(() => {
      over = true;
    });
    fixture.clock.advance(20_000 - CANCEL_GRACE_MS - 1);
    await settle();
    expect(held.hooks.signal.aborted).toBe(false);
    fixture.clock.advance(1);
    await settle();
    expect(held.hooks.signal.aborted).toBe(true);
    expect(over).toBe(false);
    await held.end({
      status: 'cancelled',
      result: null,
      error: { code: 'CANCELLED', message: 'stopped', retryable: false },
    });
    await stopped;
    expect(fixture.queue.get(job.id)).toMatchObject({
      status: 'failed',
      error: { code: 'INTERRUPTED', retryable: true },
    });
  });

  it('stop() does not wait for ever for a job that never ends', async () => {
    const job = submit();
    const stopped = fixture.queue.stop(0);
    await settle();
    fixture.clock.advance(0);
    await settle();
    fixture.clock.advance(CANCEL_GRACE_MS + 2_000);
    await stopped;
    await fixture.crash();
    expect(fixture.queue.get(job.id).error?.code).toBe('INTERRUPTED');
  });
});
