import { expect, it } from 'vitest';
import type { Job } from '../jobs/job.ts';
import type { JobRequest } from '../jobs/job-request.ts';
import { ManualClock } from '../jobs/testing/manual-clock.ts';
import type { ErrorCode } from '../kernel/errors.ts';
import { silentLogger } from '../kernel/logger.ts';
import { AFTERMATH_RETRY_MS, AftermathKeeper } from './aftermath-keeper.ts';

/** A keeper, and the jobs that it asked to be tidied up after. */
function bench(): {
  clock: ManualClock;
  keeper: AftermathKeeper;
  asked: string[];
  refuse: { error: Error | null };
} {
  const clock = new ManualClock();
  const asked: string[] = [];
  const refuse: { error: Error | null } = { error: null };
  const submit = ({ params }: JobRequest): never => {
    if (refuse.error !== null) throw refuse.error;
    asked.push((params as { afterJob: string }).afterJob);
    return undefined as never;
  };
  const keeper = new AftermathKeeper({ queue: { submit }, clock, logger: silentLogger });
  return { clock, keeper, asked, refuse };
}

const ended = (id: string, code: ErrorCode | null, fields: Partial<Job> = {}): Job =>
  ({
    id,
    kind: 'restore',
    mutating: true,
    startedAt: '2026-01-01T00:00:00.000Z',
    params: {},
    error: code === null ? null : { code, message: 'no', retryable: false },
    ...fields,
  }) as Job;
const tidied = (afterJob: string, code: ErrorCode | null): Job =>
  ended(`after ${afterJob}`, code, { kind: 'reconcile', params: { afterJob } });

it('Z-D3: what a failed disk left half done is finished as soon as the disk lets it be, without a restart', () => {
  const { clock, keeper, asked } = bench();
  keeper.note(ended('j1', 'IO_ERROR'));
  keeper.note(ended('j2', 'NO_SPACE'));
  expect(asked).toEqual(['j1', 'j2']);
  keeper.note(tidied('j1', 'IO_ERROR'));
  keeper.note(tidied('j2', null));
  clock.advance(AFTERMATH_RETRY_MS);
  expect(asked).toEqual(['j1', 'j2', 'j1']);
  keeper.note(tidied('j1', 'IO_ERROR'));
  clock.advance(AFTERMATH_RETRY_MS);
  keeper.note(tidied('j1', null));
  clock.advance(10 * AFTERMATH_RETRY_MS);
  expect(asked).toEqual(['j1', 'j2', 'j1', 'j1']);
});

it('so it is where the queue itself cannot take the job, and where the reconcile of the boot failed', () => {
  const { clock, keeper, asked, refuse } = bench();
  refuse.error = new Error('database or disk is full');
  keeper.note(ended('j1', 'IO_ERROR'));
  keeper.note(ended('boot', 'IO_ERROR', { kind: 'reconcile' }));
  clock.advance(AFTERMATH_RETRY_MS);
  expect(asked).toEqual([]);
  refuse.error = null;
  clock.advance(AFTERMATH_RETRY_MS);
  expect(asked).toEqual(['j1', 'boot']);
});

it('a killed worker is tidied up after; a refusal, a reader and a job that never began are not', async () => {
  const { clock, keeper, asked } = bench();
  keeper.note(ended('killed', 'WORKER_CRASHED'));
  keeper.note(ended('refused', 'TARGET_BUSY'));
  keeper.note(ended('read', 'IO_ERROR', { mutating: false }));
  keeper.note(ended('export', 'WORKER_CRASHED', { mutating: false }));
  keeper.note(ended('never', 'CANCELLED', { startedAt: null }));
  keeper.note(tidied('killed', 'WORKER_CRASHED'));
  clock.advance(10 * AFTERMATH_RETRY_MS);
  expect(asked).toEqual(['killed', 'export']);
  await keeper.stop();
  keeper.note(ended('late', 'IO_ERROR'));
  expect(asked).toEqual(['killed', 'export']);
});
