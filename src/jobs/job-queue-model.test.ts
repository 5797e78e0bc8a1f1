import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HoldfastError } from '../kernel/errors.ts';
import type { Job, JobStatus } from './job.ts';
import { QUEUED_JOBS_MAX } from './job-queue.ts';
import { isFinished } from './job-rows.ts';
import { READING_JOBS_MAX } from './job-runner.ts';
import { QueueFixture } from './testing/queue-fixture.ts';

/**
 * Random histories of the queue against a model of it: a list in order of submission. After each step the queue
 * must say what the model says, and every event must fit.
 */
interface ModelJob {
  readonly id: string;
  readonly kind: Job['kind'];
  readonly mutating: boolean;
  readonly key: string;
  priority: number;
  status: JobStatus;
  exitCode: number | null;
  cancelAsked: boolean;
}

const KINDS = ['backup', 'restore', 'check'] as const;

class Model {
  readonly jobs: ModelJob[] = [];
  admitted: readonly string[] | null = null;

  /** What the queue does of itself after each step: the best that may run, until nothing may. */
  fill(): void {
    for (;;) {
      const running = this.jobs.filter(({ status }) => status === 'running');
      const changing = running.filter(({ mutating }) => mutating).length;
      const next = this.jobs
        .filter(
          ({ status, kind, mutating }) =>
            status === 'queued' &&
            (this.admitted === null || this.admitted.includes(kind)) &&
            (mutating ? changing < 1 : running.length - changing < READING_JOBS_MAX),
        )
        .sort((left, right) => right.priority - left.priority)[0];
      if (next === undefined) return;
      next.status = 'running';
    }
  }

  end(job: ModelJob, status: JobStatus, exitCode: number): void {
    job.status = status;
    job.exitCode = exitCode;
    this.fill();
  }
}

type Step = (fixture: QueueFixture, model: Model) => Promise<void> | void;

const pick = <T>(items: readonly T[], choice: number): T | undefined =>
  items[choice % Math.max(items.length, 1)];

const submit = fc
  .record({
    kind: fc.constantFrom(...KINDS),
    mutating: fc.boolean(),
    priority: fc.nat(3),
    key: fc.constantFrom('a', 'b', 'c', 'd'),
  })
  .map(({ kind, mutating, priority, key }): Step => {
    return ({ queue }, model) => {
      const coalesceKey = `${kind} ${mutating} ${key}`;
      const same = model.jobs.find((job) => job.status === 'queued' && job.key === coalesceKey);
      const job = queue.submit({
        kind,
        params: { key },
        actor: 'user',
        mutating,
        priority,
        coalesceKey,
      });
      expect(job.coalesced).toBe(same !== undefined);
      if (same !== undefined) {
        expect(job.id).toBe(same.id);
        same.priority = Math.max(same.priority, priority);
        return;
      }
      const fresh = { status: 'queued', exitCode: null, cancelAsked: false } as const;
      model.jobs.push({ id: job.id, kind, mutating, key: coalesceKey, priority, ...fresh });
      model.fill();
    };
  });

const ends = {
  succeeded: { outcome: { status: 'succeeded' }, exitCode: 0 },
  warned: { outcome: { status: 'succeeded', warnings: 1 }, exitCode: 3 },
  failed: { outcome: { status: 'failed', result: null }, exitCode: 1 },
} as const;

const end = fc
  .tuple(fc.nat(), fc.constantFrom(...(['succeeded', 'warned', 'failed'] as const)), fc.nat(3))
  .map(
    ([choice, how, logLines]): Step =>
      async ({ held }, model) => {
        const running = pick(
          model.jobs.filter(({ status }) => status === 'running'),
          choice,
        );
        if (running === undefined) return;
        const { hooks, end } = held.get(running.id)!;
        for (let line = 0; line < logLines; line += 1) {
          hooks.onMessage({ type: 'log', stream: 'event', message: `line ${line}` });
          hooks.onMessage({ type: 'progress', counts: { filesDone: line, totalFiles: logLines } });
        }
        if (running.cancelAsked && how === 'failed') {
          await end({ status: 'cancelled', result: null });
          model.end(running, 'cancelled', 130);
          return;
        }
        await end(ends[how].outcome);
        model.end(running, ends[how].outcome.status, ends[how].exitCode);
      },
  );

const cancel = fc.nat().map(
  (choice): Step =>
    ({ queue }, model) => {
      const job = pick(model.jobs, choice);
      if (job === undefined) return;
      if (isFinished(job.status)) {
        expect(() => queue.cancel(job.id)).toThrow(HoldfastError);
        return;
      }
      queue.cancel(job.id);
      if (job.status === 'running') job.cancelAsked = true;
      else model.end(job, 'cancelled', 130);
    },
);

const admit = fc.option(fc.subarray([...KINDS]), { freq: 2 }).map(
  (kinds): Step =>
    ({ queue }, model) => {
      queue.admit(kinds);
      model.admitted = kinds;
      model.fill();
    },
);

const crash = fc.constant<Step>(async (fixture, model) => {
  await fixture.crash();
  for (const job of model.jobs) {
    if (job.status === 'running') Object.assign(job, { status: 'failed', exitCode: 1 });
  }
  model.admitted = null;
  model.fill();
});

const passTime = fc.nat(3_000).map(
  (waitMs): Step =>
    ({ clock }) =>
      clock.advance(waitMs),
);

function compare({ queue, held }: QueueFixture, model: Model): void {
  const actual = queue
    .list({ limit: 500 })
    .items.reverse()
    .map(({ id, status, priority, exitCode }) => ({ id, status, priority, exitCode }));
  expect(actual).toEqual(
    model.jobs.map(({ id, status, priority, exitCode }) => ({ id, status, priority, exitCode })),
  );
  const running = model.jobs.filter(({ status }) => status === 'running').map(({ id }) => id);
  expect([...held.keys()].sort()).toEqual(running.sort());
  expect(queue.counts().queued).toBeLessThanOrEqual(QUEUED_JOBS_MAX);
}

/** Numbers without gaps within one daemon; per job nothing before `running` but `queued`, nothing after the end. */
function checkEvents({ events }: QueueFixture): void {
  const last = new Map<string, JobStatus>();
  let sequence = 0;
  for (const event of events) {
    // A new daemon counts from 1 again.
    expect([sequence + 1, 1]).toContain(event.sequence);
    sequence = event.sequence;
    const id = event.type === 'job.changed' ? event.job.id : event.jobId;
    const before = last.get(id) ?? 'queued';
    expect(isFinished(before)).toBe(false);
    if (event.type === 'job.changed') last.set(id, event.job.status);
    else expect(before).toBe('running');
  }
}

it('the queue does what its model does, over crashes and restarts', async () => {
  const step = fc.oneof(
    { arbitrary: submit, weight: 6 },
    { arbitrary: end, weight: 5 },
    { arbitrary: cancel, weight: 2 },
    { arbitrary: admit, weight: 1 },
    { arbitrary: crash, weight: 1 },
    { arbitrary: passTime, weight: 1 },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const fixture = await QueueFixture.create();
      const model = new Model();
      try {
        for (const take of steps) {
          await take(fixture, model);
          compare(fixture, model);
        }
        checkEvents(fixture);
      } finally {
        await fixture.remove();
      }
    }),
    { numRuns: 40 },
  );
});
