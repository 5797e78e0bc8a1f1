import { afterEach, expect, it } from 'vitest';
import { observeDurableSteps } from '../files/durable-steps.ts';
import { countSteps } from '../files/testing/dying-process.ts';
import { toErrorDocument } from '../kernel/errors.ts';
import type { Job } from './job.ts';
import { QueueFixture, settle } from './testing/queue-fixture.ts';

/** What the daemon remembers, while its disk fails: one job from its submission to its end, with a log. */

const RETRY_MS = 1_000;
const CODES = ['SQLITE_FULL', 'SQLITE_IOERR_FSYNC', 'SQLITE_READONLY', 'SQLITE_CANTOPEN'] as const;

let fixture: QueueFixture;
afterEach(async () => {
  observeDurableSteps(null);
  await fixture.remove();
});

/** Every commit from the n-th on fails, or the n-th alone. */
function failCommits(n: number, code: string, lasting: boolean): { failed: number } {
  const seen = { failed: 0 };
  let commits = 0;
  observeDurableSteps((_step, _path, moment) => {
    if (moment !== 'before') return;
    commits += 1;
    if (commits < n || (commits > n && !lasting)) return;
    seen.failed += 1;
    throw Object.assign(new Error(`${code}: made to fail`), { code });
  });
  return seen;
}

/** Submits a job and lets it run to its end; null where nobody would take it. */
async function oneJob(): Promise<Job | null> {
  let id: string;
  try {
    id = fixture.submit().id;
  } catch (error) {
    expect(['NO_SPACE', 'IO_ERROR']).toContain(toErrorDocument(error).code);
    return null;
  }
  await letPass(id);
  return fixture.queue.get(id);
}

/** A few seconds, in which its worker ends as soon as it runs. */
async function letPass(id: string): Promise<void> {
  for (let second = 0; second < 4; second += 1) {
    const held = fixture.held.get(id);
    if (held !== undefined) {
      held.hooks.onMessage({ type: 'log', stream: 'event', message: 'under way' });
      await held.end();
    }
    fixture.clock.advance(RETRY_MS);
    await settle();
  }
}

it('Z-D3, F-D9: whichever commit of state.db fails, and however long: a job is refused with the reason, or ends once, and is told of', async () => {
  fixture = await QueueFixture.create();
  const commits = await countSteps(oneJob);
  expect(commits).toBeGreaterThanOrEqual(3);
  let failures = 0;
  for (let n = 1; n <= commits; n += 1) {
    for (const code of CODES) {
      for (const lasting of [false, true]) {
        const seen = failCommits(n, code, lasting);
        const job = await oneJob();
        observeDurableSteps(null);
        failures += seen.failed;
        // Mended: what could not be recorded is recorded, by itself.
        if (job !== null) await letPass(job.id);
        const inTheEnd = job === null ? null : fixture.queue.get(job.id).status;
        expect([null, 'succeeded'], `${n} ${code}`).toContain(inTheEnd);
        expect(fixture.queue.counts()).toEqual({ queued: 0, running: 0 });
        const ends = fixture.events.filter(
          (event) =>
            event.type === 'job.changed' &&
            event.job.id === job?.id &&
            event.job.finishedAt !== null,
        );
        expect(ends.length, `${n} ${code}`).toBe(job === null ? 0 : 1);
        // And the next one is as any other.
        expect(await oneJob()).toMatchObject({ status: 'succeeded' });
      }
    }
  }
  expect(failures).toBeGreaterThan(commits * CODES.length);
  await fixture.crash();
  expect(fixture.state.connection.pragma('integrity_check', { simple: true })).toBe('ok');
  expect(fixture.state.rebuiltFrom).toBeNull();
});
