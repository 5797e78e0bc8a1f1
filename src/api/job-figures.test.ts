import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture } from './testing/api-fixture.ts';

let fixture: ApiFixture;
beforeEach(async () => {
  fixture = await ApiFixture.create();
});
afterEach(() => fixture.remove());

const IDLE = {
  inProgress: false,
  jobId: null,
  kind: null,
  sourceId: null,
  startedAt: null,
  progress: null,
};

describe('progress.get', () => {
  it('F48, Z-36, Z-55, Z-72: is what runs now, with its newest progress, and nothing when it has ended', async () => {
    expect(await fixture.ask('progress.get', {})).toEqual(IDLE);
    const { job } = await fixture.ask('snapshot.create', { sourceId: 'alpha' });
    const held = await fixture.nextHeld();
    const reading = await fixture.ask('repository.check', {});
    const check = await fixture.nextHeld();
    expect(check.job.id).toBe(reading.job.id);
    const counts = { phase: 'files', filesDone: 1, totalFiles: 4, bytesDone: 10, totalBytes: 40 };
    held.hooks.onMessage({ type: 'progress', counts: { ...counts, currentFile: 'data/a' } });
    expect(await fixture.ask('progress.get', {})).toMatchObject({
      inProgress: true,
      jobId: job.id,
      kind: 'backup',
      sourceId: 'alpha',
      progress: { filesDone: 1, totalFiles: 4, bytesDone: 10, totalBytes: 40, percentDone: 0.25 },
    });
    held.succeed();
    await fixture.ask('job.wait', { id: job.id });
    expect(await fixture.ask('progress.get', {})).toMatchObject({ jobId: reading.job.id });
    check.succeed();
  });
});

describe('job.statistics', () => {
  it('F47: counts how jobs of each kind ended, of all sources or of one, and how long they took', async () => {
    expect((await fixture.ask('job.statistics', {})).items).toEqual([]);
    for (const sourceId of ['alpha', 'alpha', 'beta']) {
      const { job } = await fixture.ask('snapshot.create', { sourceId });
      (await fixture.nextHeld()).succeed();
      await fixture.ask('job.wait', { id: job.id });
    }
    await fixture.ask('snapshot.create', { sourceId: 'alpha' });
    const held = await fixture.nextHeld();
    const { job } = await fixture.ask('snapshot.create', { sourceId: 'beta' });
    await fixture.ask('job.cancel', { id: job.id });
    const connection = fixture.state.connection;
    const finished = connection.prepare("SELECT sequence FROM jobs WHERE status = 'succeeded'");
    const took = connection.prepare(
      "UPDATE jobs SET finishedAt = startedAt + ?, progress = json_set('{}', '$.bytesDone', 7) WHERE sequence = ?",
    );
    finished
      .pluck()
      .all()
      .forEach((sequence, index) => {
        took.run([100, 900, 200][index], sequence);
      });
    const [all, ...others] = (await fixture.ask('job.statistics', {})).items;
    expect(others).toEqual([]);
    expect(all).toMatchObject({
      kind: 'backup',
      count: 4,
      succeeded: 3,
      cancelled: 1,
      failed: 0,
      lastStatus: 'cancelled',
      lastDurationMs: 200,
      medianDurationMs: 200,
      longestDurationMs: 900,
      bytes: 21,
    });
    const alpha = await fixture.ask('job.statistics', { sourceId: 'alpha name' });
    expect(alpha.items).toMatchObject([
      { count: 2, medianDurationMs: 500, longestDurationMs: 900 },
    ]);
    held.succeed();
  });
});

it('M-D5, M-D6: what is not known yet is null on the wire: never absent, empty, nor a time of long ago', async () => {
  await fixture.ask('snapshot.create', { sourceId: 'alpha' });
  const held = await fixture.nextHeld();
  const { job } = await fixture.ask('snapshot.create', { sourceId: 'beta' });
  const waiting = await fixture.ask('job.get', { id: job.id });
  const unknown = ['startedAt', 'finishedAt', 'exitCode', 'progress', 'result', 'error'] as const;
  for (const field of unknown) expect(waiting[field], field).toBeNull();
  const { repository, lastRecovery, previousRun } = await fixture.ask('daemon.status', {});
  expect([repository, lastRecovery, previousRun]).toEqual([null, null, null]);
  await fixture.ask('job.cancel', { id: job.id });
  held.succeed();
});
