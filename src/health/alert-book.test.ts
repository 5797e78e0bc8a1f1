import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../jobs/testing/manual-clock.ts';
import { systemClock } from '../kernel/clock.ts';
import type { Alert } from '../protocol/method-map.ts';
import { ALERTS_MAX, AlertRecords, type AlertSighting } from '../state/alert-records.ts';
import { openState, type StateDatabase } from '../state/state-database.ts';
import { AlertBook, CONDITION_SEEN_MS } from './alert-book.ts';

let directory: string;
let state: StateDatabase;
let clock: ManualClock;
let heard: Alert[];
let book: AlertBook;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'alerts-'));
  state = await openState(join(directory, 'state.db'), { clock: systemClock });
  clock = new ManualClock();
  heard = [];
  open();
});
afterEach(async () => {
  state.close();
  await rm(directory, { recursive: true, force: true });
});

function open(): void {
  const records = new AlertRecords(state);
  book = new AlertBook({ records, clock, onChanged: (alert) => heard.push(alert) });
}

const sighting = (fields: Partial<AlertSighting> = {}): AlertSighting => ({
  kind: 'BACKUP_FAILED',
  sourceId: 'app',
  subject: '',
  severity: 'warning',
  message: 'backup failed: no space',
  jobId: 'job-1',
  ...fields,
});
const all = (): Alert[] =>
  book.list(['open', 'acknowledged', 'resolved'], null, ALERTS_MAX).map(({ alert }) => alert);

describe('alerts', () => {
  it('F57, M-54: the same failure is one alert with a count, first and last seen, over restarts too', async () => {
    book.raise(sighting());
    clock.advance(60_000);
    state.close();
    state = await openState(state.path, { clock: systemClock });
    open();
    book.raise(sighting({ message: 'backup failed: again', jobId: 'job-2' }));
    book.raise(sighting({ sourceId: 'other' }));
    const [other, alert] = all();
    expect(other).toMatchObject({ sourceId: 'other', count: 1 });
    expect(alert).toMatchObject({ count: 2, state: 'open', jobId: 'job-2' });
    expect(alert?.message).toBe('backup failed: again');
    expect(Date.parse(alert!.lastSeenAt) - Date.parse(alert!.firstSeenAt)).toBe(60_000);
    expect(heard.map(({ count }) => count)).toEqual([1, 2, 1]);
  });

  it('F57, M-54: open, acknowledged, resolved; one that was resolved comes back as a new one', () => {
    book.raise(sighting());
    const { id } = all()[0]!;
    expect(book.acknowledge(id)).toMatchObject({ state: 'acknowledged' });
    book.raise(sighting());
    expect(all()).toMatchObject([{ id, state: 'acknowledged', count: 2 }]);
    book.end({ kind: 'BACKUP_FAILED', sourceId: 'app', subject: '' });
    expect(all()).toMatchObject([{ id, state: 'resolved' }]);
    expect(() => book.acknowledge(id)).toThrow('resolved already');
    expect(book.resolve(id)).toMatchObject({ state: 'resolved' });
    expect(() => book.resolve('nothing')).toThrow('no alert has this id');
    book.raise(sighting());
    expect(all().map((each) => each.state)).toEqual(['open', 'resolved']);
    expect(book.counts()).toEqual({ open: 1, acknowledged: 0 });
  });

  it('M-54: a condition that lasts is one alert, seen hourly, and resolves itself when it ends', () => {
    const kinds = new Set(['LOW_SPACE']);
    const low = sighting({ kind: 'LOW_SPACE', sourceId: null, jobId: null });
    book.raise(sighting());
    for (let minute = 0; minute < 59; minute += 1) {
      book.observe(kinds, [low]);
      clock.advance(60_000);
    }
    expect(all()[0]).toMatchObject({ kind: 'LOW_SPACE', count: 1 });
    clock.advance(CONDITION_SEEN_MS);
    book.observe(kinds, [low]);
    expect(all()[0]).toMatchObject({ count: 2, state: 'open' });
    book.observe(kinds, [{ ...low, severity: 'critical' }]);
    expect(all()[0]).toMatchObject({ severity: 'critical' });
    book.observe(kinds, []);
    expect(all().map((each) => [each.kind, each.state])).toEqual([
      ['LOW_SPACE', 'resolved'],
      ['BACKUP_FAILED', 'open'],
    ]);
  });

  it('F57: are bounded, and those that are not resolved are the last to go', () => {
    book.raise(sighting({ subject: 'kept' }));
    state.transaction(() => {
      for (let index = 0; index < ALERTS_MAX + 20; index += 1) {
        state.connection
          .prepare(
            `INSERT INTO alerts (id, kind, subject, severity, message, state, count, firstSeenAt, lastSeenAt, resolvedAt)
             VALUES (?, 'OLD', '', 'info', 'm', 'resolved', 1, 1, 1, 1)`,
          )
          .run(`old-${index}`);
      }
    });
    book.raise(sighting({ subject: 'newest' }));
    expect(all()).toHaveLength(ALERTS_MAX);
    expect(book.counts()).toEqual({ open: 2, acknowledged: 0 });
  });
});
