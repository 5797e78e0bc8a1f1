import { afterEach, beforeEach, expect, it } from 'vitest';
import type { EventNotification } from '../protocol/method-map.ts';
import { ApiFixture } from './testing/api-fixture.ts';

let fixture: ApiFixture;

beforeEach(async () => {
  fixture = await ApiFixture.create();
});
afterEach(() => fixture.remove());

it('M-28, M-62: a job starts, makes progress and ends, in this order; its figures are there when it has ended', async () => {
  const subscription = await fixture.client.subscribe({ types: ['job.changed', 'job.progress'] });
  const { job } = await fixture.ask('snapshot.create', { sourceId: 'alpha' });
  const held = await fixture.nextHeld();
  const progress = (filesDone: number) =>
    held.hooks.onMessage({ type: 'progress', counts: { filesDone, totalFiles: 2 } });
  progress(1);
  progress(2);
  held.succeed({ snapshotId: 'abc', statistics: { files: 2 } });
  await fixture.ask('job.wait', { id: job.id });
  const next = await fixture.ask('snapshot.create', { sourceId: 'beta' });
  const told: string[] = [];
  for await (const event of subscription) {
    // Nothing of the first one comes after its end.
    if (event.type === 'job.changed' && event.job.id === next.job.id) break;
    told.push(toldBy(event));
  }
  expect(told).toEqual([
    'backup queued',
    'backup running',
    'progress 1',
    'progress 2',
    'backup succeeded',
  ]);
  expect(await fixture.ask('job.get', { id: job.id })).toMatchObject({
    result: { snapshotId: 'abc', statistics: { files: 2 } },
    progress: { filesDone: 2, percentDone: 1 },
  });
});

function toldBy(event: EventNotification): string {
  if (event.type === 'job.changed') return `${event.job.kind} ${event.job.status}`;
  return event.type === 'job.progress' ? `progress ${event.progress.filesDone}` : event.type;
}

it('M-D5: a time that is not known is null, never the beginning of time; every other one is ISO 8601', async () => {
  await fixture.ask('snapshot.create', { sourceId: 'alpha' });
  await fixture.ask('snapshot.create', { sourceId: 'beta' });
  const answers = [
    await fixture.ask('daemon.status', {}),
    await fixture.ask('job.list', {}),
    await fixture.ask('source.get', { sourceId: 'alpha' }),
    await fixture.ask('schedule.status', {}),
  ];
  const times = new Map<string, unknown>();
  const collect = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, each] of Object.entries(value)) {
      if (/(^a|A)t$|Since$/.test(key)) times.set(`${key} ${JSON.stringify(each)}`, each);
      else collect(each);
    }
  };
  collect(answers);
  const known = [...times.values()].filter((value) => value !== null);
  expect(known.length).toBeGreaterThan(2);
  expect(times.size).toBeGreaterThan(known.length);
  for (const value of known) {
    expect(value).toMatch(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  }
});
