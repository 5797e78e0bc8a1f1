import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Job } from './job.ts';
import { QUEUED_JOBS_MAX } from './job-queue.ts';
import type { JobRequest, SubmittedJob } from './job-request.ts';
import { QueueFixture } from './testing/queue-fixture.ts';

let fixture: QueueFixture;
beforeEach(async () => {
  fixture = await QueueFixture.create();
});
afterEach(() => fixture.remove());

const submit = (request?: Partial<JobRequest>): SubmittedJob => fixture.submit(request);
const status = (job: Job): string => fixture.queue.get(job.id).status;
const refusal = (code: string): unknown => expect.objectContaining({ code });

describe('places', () => {
  it('M-39, F-08: one mutating job at a time, two reading ones beside it', async () => {
    const changing = [submit(), submit()];
    const reading = [1, 2, 3].map(() => submit({ mutating: false }));
    expect(changing.map(status)).toEqual(['running', 'queued']);
    expect(reading.map(status)).toEqual(['running', 'running', 'queued']);
    await fixture.held.get(changing[0]!.id)!.end();
    expect(changing.map(status)).toEqual(['succeeded', 'running']);
    await fixture.held.get(reading[1]!.id)!.end();
    expect(reading.map(status)).toEqual(['running', 'succeeded', 'running']);
  });

  it('F47: recover before restore before a manual backup before a scheduled one before a check', async () => {
    const first = submit();
    const kinds: [Job['kind'], Job['actor']][] = [
      ['check', 'user'],
      ['backup', 'schedule'],
      ['backup', 'user'],
      ['restore', 'user'],
      ['recover', 'user'],
      ['backup', 'change'],
    ];
    for (const [kind, actor] of kinds) submit({ kind, actor });
    await fixture.held.get(first.id)!.end();
    const order: string[] = [];
    while (fixture.held.size > 0) {
      const [running] = fixture.held.values();
      order.push(`${running!.job.kind} ${running!.job.actor}`);
      await running!.end();
    }
    expect(order).toEqual([
      'recover user',
      'restore user',
      'backup user',
      'backup schedule',
      'backup change',
      'check user',
    ]);
  });

  it('while only some kinds are admitted the others wait, and then run', async () => {
    fixture.queue.admit(['recover', 'reconcile']);
    const backup = submit({ kind: 'backup' });
    const recover = submit({ kind: 'recover', actor: 'boot' });
    expect([status(backup), status(recover)]).toEqual(['queued', 'running']);
    await fixture.held.get(recover.id)!.end();
    expect(status(backup)).toBe('queued');
    fixture.queue.admit(null);
    expect(status(backup)).toBe('running');
  });

  it('F47: a full queue refuses with QUEUE_FULL and loses nothing; boot still gets in', () => {
    submit();
    for (let index = 0; index < QUEUED_JOBS_MAX; index += 1) submit();
    expect(() => submit()).toThrow(refusal('QUEUE_FULL'));
    expect(fixture.queue.counts()).toEqual({ queued: QUEUED_JOBS_MAX, running: 1 });
    expect(submit({ kind: 'recover', actor: 'boot' }).status).toBe('queued');
  });
});

describe('coalescing', () => {
  it('F47: an equal request that waits is the same job, whatever the order of its keys', async () => {
    submit();
    const one = submit({ params: { a: 1, b: [{ c: 1, d: 2 }] } });
    const two = submit({ params: { b: [{ d: 2, c: 1 }], a: 1 } });
    expect(two).toMatchObject({ id: one.id, coalesced: true });
    expect(one.coalesced).toBe(false);
    expect(submit({ params: { a: 2, b: [] } }).id).not.toBe(one.id);
    expect(submit({ params: { a: 1, b: [{ c: 1, d: 2 }] }, sourceId: 's' }).id).not.toBe(one.id);
  });

  it('a running job is never joined: it may have read the data already', () => {
    const running = submit({ params: {} });
    const second = submit({ params: {} });
    expect(second.id).not.toBe(running.id);
    expect(second.coalesced).toBe(false);
  });

  it('a more important request lifts the job that it joins', async () => {
    const first = submit();
    const scheduled = submit({ kind: 'backup', actor: 'schedule', coalesceKey: 'backup shop' });
    const other = submit({ kind: 'backup', actor: 'schedule', priority: 50 });
    const manual = submit({ kind: 'backup', actor: 'user', coalesceKey: 'backup shop' });
    expect(manual).toMatchObject({ id: scheduled.id, coalesced: true, priority: 60 });
    await fixture.held.get(first.id)!.end();
    expect([status(scheduled), status(other)]).toEqual(['running', 'queued']);
  });

  it('F47, M-18: an idempotency key gives one job for ever, over restarts too', async () => {
    const tick = { idempotencyKey: 'nightly@1800' };
    const fired = submit(tick);
    await fixture.held.get(fired.id)!.end();
    await fixture.crash();
    expect(submit(tick)).toMatchObject({ id: fired.id, coalesced: true, status: 'succeeded' });
  });
});

describe('list()', () => {
  it('pages through all jobs, newest first, while others are submitted', () => {
    const jobs = Array.from({ length: 7 }, () => submit());
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = fixture.queue.list({ limit: 3, cursor });
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
      submit();
    } while (cursor !== null);
    expect(seen).toEqual(jobs.map(({ id }) => id).reverse());
  });

  it('filters by status, kind and source', () => {
    const one = submit({ kind: 'backup', sourceId: 'shop' });
    const two = submit({ kind: 'verify', sourceId: 'shop' });
    const ids = (filter: object): string[] => fixture.queue.list(filter).items.map(({ id }) => id);
    expect(ids({ status: 'running' })).toEqual([one.id]);
    expect(ids({ kind: 'verify' })).toEqual([two.id]);
    expect(ids({ sourceId: 'shop', status: 'queued' })).toEqual([two.id]);
    expect(ids({ sourceId: 'wiki' })).toEqual([]);
    expect(() => ids({ cursor: 'strange' })).toThrow(refusal('INVALID_PARAMS'));
  });
});
