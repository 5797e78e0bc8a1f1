import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ManualClock } from '../jobs/testing/manual-clock.ts';
import { systemClock } from '../kernel/clock.ts';
import type { Alert } from '../protocol/method-map.ts';
import { AlertRecords, type AlertSighting } from '../state/alert-records.ts';
import { openState, type StateDatabase } from '../state/state-database.ts';
import { AlertBook } from './alert-book.ts';

let directory: string;
let state: StateDatabase;
let clock: ManualClock;
let heard: Alert[];
let book: AlertBook;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'unwritten-'));
  state = await openState(join(directory, 'state.db'), { clock: systemClock });
  clock = new ManualClock();
  heard = [];
  const records = new AlertRecords(state);
  book = new AlertBook({ records, clock, onChanged: (alert) => heard.push(alert) });
});
afterEach(async () => {
  state.close();
  await rm(directory, { recursive: true, force: true });
});

const sighting = (kind: string): AlertSighting => ({
  kind,
  sourceId: null,
  subject: '',
  severity: 'critical',
  message: 'the disk is read-only',
  jobId: null,
});
const KINDS = new Set(['STATE_UNWRITABLE']);
/** SQLite refuses every write with SQLITE_READONLY, as on a file system that became read-only. */
const letWrite = (may: boolean): unknown => state.connection.pragma(`query_only = ${may ? 0 : 1}`);
const listed = (): [string, string, number][] =>
  book
    .list(['open', 'acknowledged', 'resolved'], null, 10)
    .map(({ alert }) => [alert.kind, alert.state, alert.count]);

it('M-54, F57: an alert is raised, listed and counted while state.db cannot be written, and kept once it can', () => {
  letWrite(false);
  book.raise(sighting('BACKUP_FAILED'));
  book.raise(sighting('BACKUP_FAILED'));
  book.observe(KINDS, [sighting('STATE_UNWRITABLE')]);
  book.observe(KINDS, [sighting('STATE_UNWRITABLE')]);
  expect(listed()).toEqual([
    ['STATE_UNWRITABLE', 'open', 1],
    ['BACKUP_FAILED', 'open', 2],
  ]);
  expect(book.counts()).toEqual({ open: 2, acknowledged: 0 });
  expect(heard.map(({ kind }) => kind)).toHaveLength(3);
  const [alert] = book.list(['open'], null, 10);
  expect(() => book.acknowledge(alert!.alert.id)).toThrow(/readonly/);
  letWrite(true);
  book.observe(KINDS, []);
  expect(heard.at(-1)).toMatchObject({ kind: 'STATE_UNWRITABLE', state: 'resolved' });
  expect(new AlertRecords(state).unresolved()).toMatchObject([{ kind: 'BACKUP_FAILED' }]);
  expect(listed()).toEqual([['BACKUP_FAILED', 'open', 1]]);
});

it('one that was written before stays one: sightings meanwhile are added to it', () => {
  book.raise(sighting('BACKUP_FAILED'));
  letWrite(false);
  book.raise(sighting('BACKUP_FAILED'));
  expect(listed()).toEqual([['BACKUP_FAILED', 'open', 1]]);
  letWrite(true);
  book.raise(sighting('OTHER'));
  expect(listed()).toEqual([
    ['OTHER', 'open', 1],
    ['BACKUP_FAILED', 'open', 2],
  ]);
});

it('they are bounded, and what ends without ever having been written is told as ended', () => {
  letWrite(false);
  for (let index = 0; index < 500; index += 1) book.raise(sighting(`KIND_${index}`));
  expect(book.counts().open).toBe(200);
  expect(() => book.end({ kind: 'KIND_0', sourceId: null, subject: '' })).not.toThrow();
  expect(heard.at(-1)).toMatchObject({ kind: 'KIND_0', state: 'resolved' });
  expect(book.counts().open).toBe(199);
});
