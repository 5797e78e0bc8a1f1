import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { newId } from '../kernel/ids.ts';
import { CheckLedger, type LedgerEntry } from './check-ledger.ts';
import {
  clearCleanShutdown,
  markCleanShutdown,
  readCleanShutdown,
  useCleanShutdown,
} from './clean-shutdown.ts';
import { deadlineMs } from './deadline.ts';
import { type CheckFacts, decideCheck } from './decide-check.ts';
import type { RecoveryReport } from './report.ts';
import { listReports, REPORTS_KEPT_MAX, readReport, writeReport } from './report-store.ts';

let state: string;

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'holdfast-memory-'));
});
afterEach(() => rmSync(state, { recursive: true, force: true }));

const entry: LedgerEntry = {
  fingerprint: 'f',
  level: 'quick',
  at: '2026-01-02T03:04:05.678Z',
  bootId: 'boot',
  state: 'ok',
  reason: 'passed the quick check',
  attempted: false,
  newestSnapshotId: null,
  reportId: null,
  replacedAt: null,
};

function report(id: string, sourceId = 'app'): RecoveryReport {
  return {
    id,
    at: '2026-01-02T03:04:05.678Z',
    jobId: null,
    sourceId,
    database: '/srv/app/app.db',
    state: 'needs-operator',
    reason: 'nothing passed',
    dryRun: false,
    cause: [],
    refusal: null,
    salvage: null,
    rung: null,
    candidates: [],
    rows: [],
    snapshot: null,
    quarantineId: null,
    durationMs: 1,
  };
}

describe('reports', () => {
  it('are listed newest first, by source, up to a limit', async () => {
    expect(await listReports(state)).toEqual([]);
    const ids = [3, 1, 2].map((second) => newId(second * 1000));
    for (const [index, id] of ids.entries()) {
      await writeReport(state, report(id, index === 0 ? 'other' : 'app'));
    }
    expect((await listReports(state)).map(({ id }) => id)).toEqual([ids[0], ids[2], ids[1]]);
    expect((await listReports(state, { sourceId: 'app' })).map(({ id }) => id)).toEqual([
      ids[2],
      ids[1],
    ]);
    expect(await listReports(state, { limit: 1 })).toHaveLength(1);
    expect(await readReport(state, ids[1]!)).toEqual(report(ids[1]!));
  });

  it('a torn one hides no other, and an unknown or unsafe id is not found', async () => {
    const id = newId(1000);
    await writeReport(state, report(id));
    const torn = newId(2000);
    writeFileSync(join(state, 'recovery', `${torn}.json`), '{"id":');
    expect(await listReports(state)).toHaveLength(1);
    await expect(readReport(state, torn)).rejects.toMatchObject({ code: 'IO_ERROR' });
    await expect(readReport(state, newId(3000))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(readReport(state, '../checks')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('do not grow without bound', async () => {
    await writeReport(state, report(newId(1)));
    for (let index = 0; index < REPORTS_KEPT_MAX + 5; index += 1) {
      writeFileSync(join(state, 'recovery', `${newId(1000 + index)}.json`), '{}');
    }
    await writeReport(state, report(newId(9_000_000)));
    expect(readdirSync(join(state, 'recovery'))).toHaveLength(REPORTS_KEPT_MAX);
    expect(await listReports(state)).toHaveLength(1);
  });
});

describe('the ledger of checks', () => {
  it('survives the process, and an unreadable one counts as empty', async () => {
    await (await CheckLedger.open(state)).set('/srv/app.db', entry);
    expect((await CheckLedger.open(state)).get('/srv/app.db')).toEqual(entry);
    writeFileSync(join(state, 'checks.json'), '{"format":1,"databases":{"/srv/app.db":');
    expect((await CheckLedger.open(state)).get('/srv/app.db')).toBeNull();
  });
});

describe('the mark of a clean shutdown', () => {
  it('F05, Z-101: is there only after one, and a torn one is none', async () => {
    expect(await readCleanShutdown(state)).toBeNull();
    await markCleanShutdown(state, systemClock);
    expect(await readCleanShutdown(state)).toMatchObject({ at: expect.any(String) });
    await clearCleanShutdown(state);
    await clearCleanShutdown(state);
    expect(await readCleanShutdown(state)).toBeNull();
    writeFileSync(join(state, 'clean-shutdown.json'), '{');
    expect(await readCleanShutdown(state)).toBeNull();
  });
});

describe('the mark of a clean shutdown, once a daemon has started from it', () => {
  it('F05, Z-101: counts in this run of the kernel alone, and for one start', async () => {
    await markCleanShutdown(state, systemClock);
    expect(await useCleanShutdown(state)).toMatchObject({ at: expect.any(String) });
    expect(await readCleanShutdown(state)).not.toBeNull();
    // Another start, after an end that was none.
    expect(await useCleanShutdown(state)).toBeNull();
    const path = join(state, 'clean-shutdown.json');
    const marker = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ ...marker, startedIn: 'an earlier run of the host' }));
    expect(await readCleanShutdown(state)).toBeNull();
    await markCleanShutdown(state, systemClock);
    expect(await readCleanShutdown(state)).not.toBeNull();
  });
});

describe('whether to check', () => {
  const facts: CheckFacts = {
    mode: 'if-needed',
    fingerprint: 'f',
    entry,
    snapshot: null,
    shutdownWasClean: false,
    bootId: 'another boot',
  };

  it.each<[string, Partial<CheckFacts>, boolean]>([
    ['never checked', { entry: null }, true],
    ['changed since its check', { fingerprint: 'g', shutdownWasClean: true }, true],
    ['unchanged after a crash of the system', {}, true],
    ['unchanged after a clean shutdown', { shutdownWasClean: true }, false],
    ['unchanged after a crash of ours alone', { bootId: 'boot' }, false],
    [
      'unchanged, but found damaged',
      { entry: { ...entry, state: 'needs-operator' }, bootId: 'boot' },
      true,
    ],
    [
      'as in a snapshot that was checked',
      { entry: null, snapshot: { id: 'abcd', fingerprint: 'f' } },
      false,
    ],
    ['asked for by force', { mode: 'force', shutdownWasClean: true }, true],
    ['asked for as a check', { mode: 'check-only', shutdownWasClean: true }, true],
    [
      'where the system does not tell its boots apart',
      { bootId: null, entry: { ...entry, bootId: null } },
      true,
    ],
  ])('%s', (_what, change, check) => {
    expect(decideCheck({ ...facts, ...change }).check).toBe(check);
  });
});

describe('the time one database may take', () => {
  it('Z-90, Z-91, Z-D32: grows with its size, from a minute up', () => {
    expect(deadlineMs(1000, 30_000)).toBe(60_000);
    expect(deadlineMs(10e9, 30_000)).toBe(300_000);
  });
});
