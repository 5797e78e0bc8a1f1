import { randomBytes } from 'node:crypto';
import {
  copyFileSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listQuarantine } from '../files/quarantine/quarantine.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { portrait } from '../sqlite/testing/directories.ts';
import { SqliteChild } from '../sqlite/testing/processes.ts';
import { clearCleanShutdown, markCleanShutdown } from './clean-shutdown.ts';
import { listReports } from './report-store.ts';
import {
  addNotes,
  contentsOf,
  makeDatabase,
  overwrite,
  query,
  rootPage,
  Workbench,
  zeroPage,
} from './testing/workbench.ts';

let bench: Workbench;
let app: string;
const children: SqliteChild[] = [];

beforeEach(async () => {
  bench = await Workbench.create();
  app = bench.path('app.db');
});
afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  await bench.remove();
});

async function child(path: string): Promise<SqliteChild> {
  const started = SqliteChild.start();
  children.push(started);
  await started.open(path);
  return started;
}

describe('sound databases', () => {
  it('a check changes nothing at all, in either journal mode', async () => {
    makeDatabase(app, { journalMode: 'wal' });
    makeDatabase(bench.path('other.db'));
    const before = portrait(bench.data);
    for (const mode of ['if-needed', 'check-only', 'force'] as const) {
      expect(await bench.recover({ mode })).toMatchObject({ ok: true, recovered: 0 });
    }
    expect(portrait(bench.data)).toEqual(before);
    expect(await listReports(bench.state)).toEqual([]);
  });

  it('Z-102: a WAL or a hot journal that a crash left is for SQLite to replay: checked on a copy, not touched', async () => {
    for (const [name, journalMode] of [
      ['wal.db', 'wal'],
      ['journal.db', 'delete'],
    ] as const) {
      const path = bench.path(name);
      makeDatabase(path, { journalMode });
      const crashing = await child(path);
      await crashing.exec(`PRAGMA cache_size = 5; BEGIN; UPDATE notes SET body = body || 'x';
        UPDATE settings SET value = value + 1;`);
      if (journalMode === 'wal') await crashing.exec('COMMIT');
      await crashing.kill();
    }
    expect(bench.names()).toContain('journal.db-journal');
    expect(bench.names()).toContain('wal.db-wal');
    const before = portrait(bench.data).filter((each) => !each.includes('-shm'));
    expect(await bench.recover()).toMatchObject({ ok: true, checked: 2, recovered: 0 });
    expect(portrait(bench.data).filter((each) => !each.includes('-shm'))).toEqual(before);
    expect(contentsOf(bench.path('journal.db')).settings[0]).toEqual({ key: 'key 1', value: 1 });
    expect(contentsOf(bench.path('wal.db')).settings[0]).toEqual({ key: 'key 1', value: 2 });
  });

  it('a garbage WAL beside a sound database is no damage', async () => {
    makeDatabase(app, { journalMode: 'wal' });
    const truth = contentsOf(app);
    writeFileSync(`${app}-wal`, randomBytes(50_000));
    expect(await bench.recover()).toMatchObject({ ok: true, recovered: 0 });
    expect(contentsOf(app)).toEqual(truth);
  });

  it('rows that break a constraint are not repaired away', async () => {
    makeDatabase(app, { rows: 1, journalMode: 'wal' });
    const crashing = await child(app);
    await crashing.exec(`CREATE TABLE t(n CHECK (n > 0)); PRAGMA ignore_check_constraints = ON;
      INSERT INTO t VALUES(-1)`);
    await crashing.kill();
    const { databases, ok } = await bench.recover();
    expect(ok).toBe(true);
    expect(databases).toMatchObject([
      { state: 'ok', reason: expect.stringContaining('constraint') },
    ]);
  });
});

describe('what need not be checked', () => {
  it('F05, Z-101: a file unchanged since its snapshot, or since its check and a clean shutdown', async () => {
    makeDatabase(app);
    expect(await bench.recover()).toMatchObject({ checked: 1 });
    await markCleanShutdown(bench.state, systemClock);
    expect(await bench.recover()).toMatchObject({ ok: true, skipped: 1, checked: 0 });
    query(app, (database) => addNotes(database, 601, 602));
    expect(await bench.recover()).toMatchObject({ skipped: 0, checked: 1 });
    await clearCleanShutdown(bench.state);
    await bench.snapshot(['app.db']);
    rmSync(`${bench.state}/checks.json`);
    expect(await bench.recover()).toMatchObject({ skipped: 1 });
    expect(await bench.recover({ mode: 'force' })).toMatchObject({ skipped: 0, checked: 1 });
  });
});

describe('a database in use', () => {
  it('is checked beside its application', async () => {
    makeDatabase(app, { journalMode: 'wal' });
    const user = await child(app);
    await user.exec(`INSERT INTO tags(note, tag) VALUES(1, 'now')`);
    const result = await bench.recover();
    expect(result).toMatchObject({ ok: true, databases: [{ state: 'ok' }] });
    await user.exec(`INSERT INTO tags(note, tag) VALUES(1, 'after')`);
  });

  it('Z-89: that is locked is busy, not corrupt', async () => {
    makeDatabase(app);
    const user = await child(app);
    await user.exec('BEGIN EXCLUSIVE');
    const result = await bench.recover();
    expect(result).toMatchObject({ ok: false, busy: 1, needsOperator: 0 });
    expect(await listReports(bench.state)).toEqual([]);
    await user.exec('COMMIT');
    await user.close();
    expect(await bench.recover()).toMatchObject({ ok: true, busy: 0 });
  });

  it('that is damaged is not replaced under its application', async () => {
    makeDatabase(app);
    await bench.snapshot(['app.db']);
    zeroPage(app, rootPage(app, 'notes'));
    const user = await child(app);
    await user.exec('SELECT count(*) FROM tags');
    const before = portrait(bench.data);
    expect(await bench.recover()).toMatchObject({ ok: false, busy: 1, recovered: 0 });
    expect(portrait(bench.data)).toEqual(before);
    await user.close();
    expect(await bench.recover()).toMatchObject({ ok: true, recovered: 1 });
  });
});

describe('what waits for a person', () => {
  it('Z-69, Z-D9, Z-D33: damage with no sound snapshot: bytes untouched, and later boots add nothing', async () => {
    makeDatabase(app);
    zeroPage(app, rootPage(app, 'notes'));
    await bench.snapshot(['app.db'], { check: { ok: false, messages: ['Tree 2 page 2: bad'] } });
    await bench.snapshot(['app.db']);
    overwrite(app, 4096 * 3, Buffer.alloc(100));
    const before = portrait(bench.data);
    for (let boot = 0; boot < 3; boot += 1) {
      const result = await bench.recover();
      expect(result).toMatchObject({ ok: false, needsOperator: 1 });
      expect(result.databases[0]).toMatchObject({
        state: 'needs-operator',
        reportId: expect.any(String),
      });
    }
    expect(portrait(bench.data)).toEqual(before);
    expect(await listQuarantine(bench.state)).toHaveLength(1);
    const [report, ...others] = await listReports(bench.state);
    expect(others).toEqual([]);
    expect(report).toMatchObject({ state: 'needs-operator', rung: null });
    expect(report?.candidates.length).toBeGreaterThan(0);
    for (const { failure, gates } of report!.candidates) {
      expect(failure !== null || gates.some(({ ok }) => !ok)).toBe(true);
    }
    expect(await bench.recover({ mode: 'force' })).toMatchObject({ needsOperator: 1 });
    expect(await listQuarantine(bench.state)).toHaveLength(1);
  });

  it('is tried again as soon as there is another snapshot', async () => {
    makeDatabase(app);
    const whole = readFileSync(app);
    zeroPage(app, rootPage(app, 'notes'));
    expect(await bench.recover()).toMatchObject({ needsOperator: 1 });
    await bench.snapshot(['app.db'], { images: { 'app.db': whole } });
    // The fingerprint of the damaged file is not the snapshot's.
    utimesSync(app, new Date(), new Date());
    expect(await bench.recover()).toMatchObject({ recovered: 1 });
  });

  it('Z-89: an encrypted file is called encrypted and left alone', async () => {
    makeDatabase(app);
    await bench.snapshot(['app.db']);
    writeFileSync(app, randomBytes(200 * 1024));
    const before = portrait(bench.data);
    const { databases, ok } = await bench.recover();
    expect(ok).toBe(false);
    expect(databases).toMatchObject([{ state: 'encrypted' }]);
    expect(portrait(bench.data)).toEqual(before);
  });

  it('F31, Z-66: check-only never repairs', async () => {
    makeDatabase(app);
    zeroPage(app, rootPage(app, 'notes_title'));
    const before = portrait(bench.data);
    expect(await bench.recover({ mode: 'check-only' })).toMatchObject({
      ok: false,
      needsOperator: 1,
    });
    expect(portrait(bench.data)).toEqual(before);
    expect(await bench.recover()).toMatchObject({ ok: true, recovered: 1 });
  });
});

describe('a step back in time', () => {
  it('an emptied file is reported, not accepted', async () => {
    makeDatabase(app);
    await bench.snapshot(['app.db']);
    truncateSync(app, 0);
    for (let boot = 0; boot < 2; boot += 1) {
      const { ok, databases } = await bench.recover();
      expect(ok).toBe(false);
      expect(databases).toMatchObject([
        { state: 'regressed', reason: expect.stringContaining('empty') },
      ]);
    }
    expect(await listReports(bench.state)).toHaveLength(1);
    expect(readFileSync(app)).toHaveLength(0);
  });

  it('an older copy put in place is reported', async () => {
    makeDatabase(app);
    copyFileSync(app, `${bench.directory}/older.db`);
    query(app, (database) => addNotes(database, 601, 610));
    await bench.snapshot(['app.db']);
    copyFileSync(`${bench.directory}/older.db`, app);
    expect((await bench.recover()).databases).toMatchObject([{ state: 'regressed' }]);
    await bench.snapshot(['app.db']);
    expect((await bench.recover()).databases).toMatchObject([{ state: 'skipped' }]);
  });

  it.each(['lost', 'cut'])('a WAL that is %s is reported', async (how) => {
    makeDatabase(app, { journalMode: 'wal' });
    const crashing = await child(app);
    await crashing.exec(`PRAGMA wal_autocheckpoint = 0; UPDATE settings SET value = value + 1;
      UPDATE tags SET tag = 'new'`);
    await crashing.kill();
    rmSync(`${app}-shm`);
    const past = new Date(Date.now() - 60_000);
    utimesSync(app, past, past);
    const copy = `${bench.directory}/copy.db`;
    copyFileSync(app, copy);
    copyFileSync(`${app}-wal`, `${copy}-wal`);
    query(copy, (database) => database.pragma('wal_checkpoint(TRUNCATE)'));
    const walBytes = readFileSync(`${app}-wal`).length;
    await bench.snapshot(['app.db'], { walBytes, images: { 'app.db': readFileSync(copy) } });
    expect((await bench.recover({ mode: 'force' })).databases).toMatchObject([{ state: 'ok' }]);
    if (how === 'lost') rmSync(`${app}-wal`);
    else truncateSync(`${app}-wal`, Math.floor(walBytes / 2));
    const { databases } = await bench.recover();
    expect(databases).toMatchObject([
      { state: 'regressed', reason: expect.stringContaining('WAL') },
    ]);
  });

  it('is not seen in what recovery itself rolled back to', async () => {
    makeDatabase(app);
    await bench.snapshot(['app.db']);
    query(app, (database) => addNotes(database, 601, 610));
    zeroPage(app, rootPage(app, 'notes'));
    await bench.snapshot(['app.db']);
    overwrite(app, 4096 * 3, Buffer.alloc(100));
    expect(await bench.recover({}, quietActivity())).toMatchObject({ recovered: 1 });
    query(app, (database) => database.exec(`UPDATE settings SET value = 0 WHERE key = 'key 1'`));
    expect((await bench.recover()).databases).toMatchObject([{ state: 'ok' }]);
  });
});
