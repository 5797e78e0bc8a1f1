import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, statSync, symlinkSync, utimesSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SourceSettings } from '../../config/settings.ts';
import { testSettings } from '../../config/testing/settings.ts';
import { pictureOf } from '../../files/testing/tree-picture.ts';
import { type Activity, quietActivity } from '../../kernel/activity.ts';
import { systemClock } from '../../kernel/clock.ts';
import { SnapshotDatabases } from '../../recovery/snapshot-databases.ts';
import { contentsOf, makeDatabase, query, Workbench } from '../../recovery/testing/workbench.ts';
import { openReader } from '../../store/repository.ts';
import { backup } from '../backup.ts';
import { deleteSnapshots } from '../delete.ts';
import { exportOperation } from '../export/export.ts';
import { restore } from '../restore/restore.ts';
import { importOperation } from './import.ts';

let bench: Workbench;
let out: string;
let snapshotId: string;
let warnings: string[];
beforeEach(async () => {
  bench = await Workbench.create();
  warnings = [];
  out = join(bench.directory, 'out');
  await mkdir(out);
  await mkdir(join(bench.state, 'scratch'));
  makeDatabase(bench.path('app.db'), { journalMode: 'wal', rows: 30 });
  await mkdir(bench.path('files'));
  await writeFile(bench.path('files/run.sh'), 'echo', { mode: 0o750 });
  symlinkSync('run.sh', bench.path('files/link'));
  snapshotId = (await backup.run(context(), backup.params.parse({})))['snapshotId'] as string;
});
afterEach(() => bench.remove());

function context(activity: Partial<Activity> = {}, source: Partial<SourceSettings> = {}) {
  const settings = testSettings(bench.directory, {
    stateDirectory: bench.state,
    repositoryDirectory: bench.repository,
    sources: [{ ...bench.source, ...source }],
  });
  const scratchDirectory = join(bench.state, 'scratch');
  const warn = (message: string): void => void warnings.push(message);
  const whole = { ...quietActivity(), warn, ...activity };
  return { activity: whole, settings, clock: systemClock, jobId: 'job-1', scratchDirectory };
}

const run = (
  params: object,
  activity: Partial<Activity> = {},
  source: Partial<SourceSettings> = {},
): Promise<any> =>
  importOperation.run(context(activity, source), importOperation.params.parse(params));

async function exported(format: string, more: object = {}): Promise<string> {
  const path = join(out, `app.${format}`);
  const params = { snapshotId, format, to: { type: 'file', path }, overwrite: true, ...more };
  await exportOperation.run(context(), exportOperation.params.parse(params));
  return path;
}

/** Another state of the database, and what it was. */
function change(): ReturnType<typeof contentsOf> {
  const before = contentsOf(bench.path('app.db'));
  query(bench.path('app.db'), (database) =>
    database.exec(`
      PRAGMA foreign_keys = OFF;
      DELETE FROM tags WHERE id > 20;
      UPDATE tags SET tag = 'changed' WHERE id <= 3;
      INSERT INTO tags VALUES (1000, 1, 'added');
    `),
  );
  return before;
}

async function expectNothingLeft(): Promise<void> {
  expect(await readdir(join(bench.state, 'scratch'))).toEqual([]);
  const staging = join(bench.state, 'staging');
  expect(existsSync(staging) ? await readdir(staging) : []).toEqual([]);
}

const tags = (): unknown[] =>
  query(bench.path('app.db'), (database) =>
    database.prepare('SELECT id, tag FROM tags ORDER BY id').raw().all(),
  );

describe('a whole database', () => {
  it.each(['db', 'sql', 'jsonl'] as const)(
    'C-02, F22: from %s: made and checked aside, then swapped in; what it replaces is kept',
    async (format) => {
      const from = await exported(format);
      const before = change();
      const changed = contentsOf(bench.path('app.db'));
      const params = { into: 'database', sourceId: 'app', from };
      const tried = await run({ ...params, dryRun: true });
      expect(tried).toMatchObject({ format, dryRun: true, quarantineId: null });
      expect(contentsOf(bench.path('app.db'))).toEqual(changed);
      const result = await run(params);
      expect(result).toMatchObject({ format, database: 'data/app.db', sourceId: 'app' });
      if (format === 'jsonl') {
        // Tables alone: no full-text one.
        expect(warnings.join()).toContain('made of tables alone');
        expect(tags()).toHaveLength(before.tags.length);
      } else {
        expect(contentsOf(bench.path('app.db'))).toEqual(before);
      }
      expect(result.quarantineId).not.toBeNull();
      const reader = await openReader(bench.repository);
      const kept = await reader.readManifest(result.preRestoreSnapshotId);
      reader.close();
      expect(kept).toMatchObject({
        origin: 'pre-restore',
        reason: `before the import of app.${format}`,
      });
      await expectNothingLeft();
    },
  );

  it('keeps the journal mode that the application chose, and reads a database with what its own log holds', async () => {
    const from = join(out, 'other.db');
    const other = new Database(from);
    other.pragma('journal_mode = WAL');
    other.exec('CREATE TABLE a (b); INSERT INTO a VALUES (1)');
    await run({ into: 'database', sourceId: 'app', database: 'data/app.db', from });
    other.close();
    query(bench.path('app.db'), (database) => {
      expect(database.prepare('SELECT b FROM a').pluck().all()).toEqual([1]);
      expect(database.pragma('journal_mode', { simple: true })).toBe('wal');
    });
    const plain = await exported('db');
    await run({ into: 'database', sourceId: 'app', from: plain, checkpoint: false });
    query(bench.path('app.db'), (database) => {
      expect(database.pragma('journal_mode', { simple: true })).toBe('wal');
    });
  });

  it('C-02: a hostile or broken file changes nothing and leaves nothing', async () => {
    const before = contentsOf(bench.path('app.db'));
    const target = join(bench.directory, 'stolen');
    const cases: readonly (readonly [string, string | Buffer])[] = [
      ['attach.sql', `ATTACH '${target}' AS x; CREATE TABLE x.a(b);`],
      ['vacuum.sql', `CREATE TABLE a(b); VACUUM INTO '${target}';`],
      ['cut.sql', 'BEGIN; CREATE TABLE a(b); INSERT INTO a VALUES (1'],
      ['cut.db', readFileSync(bench.path('app.db')).subarray(0, 9000)],
      ['cut.jsonl', '{"$table":"a","$columns":[],"$version":1}\n[1'],
      ['empty', ''],
      ['noise', Buffer.from([0, 1, 2, 3, 0xff])],
    ];
    for (const [name, content] of cases) {
      const from = join(out, name);
      await writeFile(from, content);
      await expect(run({ into: 'database', sourceId: 'app', from }), name).rejects.toThrow();
    }
    expect(existsSync(target)).toBe(false);
    expect(contentsOf(bench.path('app.db'))).toEqual(before);
    await expectNothingLeft();
  });

  it('brings a database of an older version of the application up to date, and refuses a newer one', async () => {
    const directory = join(bench.directory, 'migrations');
    await mkdir(directory);
    await writeFile(join(directory, '1.0.0_first.up.sql'), 'CREATE TABLE first (a);');
    await writeFile(join(directory, '1.1.0_second.up.sql'), 'CREATE TABLE second (a);');
    const versionStatement = "UPDATE version SET v = '1.1.0'";
    const version = {
      versionQuery: 'SELECT v FROM version',
      versionStatement,
      assumeVersion: null,
    };
    const migrations = [{ database: 'data/app.db', directory, ...version }];
    const from = join(out, 'old.sql');
    await writeFile(from, "CREATE TABLE version (v); INSERT INTO version VALUES ('1.0.0');");
    const params = { into: 'database', sourceId: 'app', from, database: 'data/app.db' };
    const result = await run(params, {}, { migrations });
    expect(result.migration).toMatchObject({ success: true, appliedVersions: ['1.1.0'] });
    query(bench.path('app.db'), (database) => database.prepare('SELECT * FROM second').all());
    await writeFile(from, "CREATE TABLE version (v); INSERT INTO version VALUES ('2.0.0');");
    await expect(run(params, {}, { migrations })).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW' });
    const taken = await run({ ...params, allowNewer: true }, {}, { migrations });
    expect(taken.quarantineId).not.toBeNull();
  });

  it.each(['db', 'sql'] as const)(
    'rows that break a constraint of their table are no damage: %s',
    async (format) => {
      const source = join(out, 'broken.db');
      const database = new Database(source);
      database.pragma('ignore_check_constraints = ON');
      database.exec('CREATE TABLE c (n CHECK (n > 5)); INSERT INTO c VALUES (1)');
      database.close();
      const from = join(out, `constraint.${format}`);
      const params = { file: source, format, to: { type: 'file', path: from } };
      const exported = exportOperation.params.parse(params);
      expect(await exportOperation.run(context(), exported)).toMatchObject({ verified: true });
      await run({ into: 'database', sourceId: 'app', from, database: 'data/new.db' });
      query(bench.path('new.db'), (made) =>
        expect(made.prepare('SELECT n FROM c').pluck().all()).toEqual([1]),
      );
    },
  );

  it('rows that point to nothing are told, and refused where that is asked', async () => {
    const from = join(out, 'dangling.sql');
    await writeFile(
      from,
      'CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p(id)); INSERT INTO c VALUES (1),(2);',
    );
    const params = { into: 'database', sourceId: 'app', from, database: 'data/new.db' };
    await expect(run({ ...params, strict: true })).rejects.toMatchObject({ code: 'VERIFY_FAILED' });
    expect(existsSync(bench.path('new.db'))).toBe(false);
    expect(await run(params)).toMatchObject({ foreignKeyViolations: 2 });
    expect(warnings.join()).toContain('2 rows point to');
    expect(existsSync(bench.path('new.db'))).toBe(true);
  });

  it('C-D2: is refused while the database is in use', async () => {
    const from = await exported('sql');
    const user = new Database(bench.path('app.db'));
    user.exec('BEGIN IMMEDIATE');
    await expect(
      run({ into: 'database', sourceId: 'app', from, checkpoint: false }),
    ).rejects.toMatchObject({ code: 'TARGET_BUSY' });
    user.close();
  });
});

describe('rows of tables', () => {
  it.each([
    ['insert-ignore', { inserted: 10, updated: 0 }, 'changed', true],
    ['upsert', { inserted: 10 }, 'tag 1', true],
    ['replace', { inserted: 30 }, 'tag 1', false],
  ] as const)(
    'F17, T-33, T-D14: %s in a copy that is swapped in',
    async (mode, counts, first, keepsAdded) => {
      const from = await exported('jsonl', { tables: ['tags'] });
      change();
      const params = { into: 'tables', sourceId: 'app', from, mode };
      const before = tags();
      expect(await run({ ...params, dryRun: true })).toMatchObject(counts);
      expect(tags()).toEqual(before);
      const result = await run(params);
      expect(result).toMatchObject({
        ...counts,
        rowsRead: 30,
        live: false,
        database: 'data/app.db',
      });
      expect(result.preRestoreSnapshotId).not.toBeNull();
      const rows = tags() as [number, string][];
      expect(rows[0]).toEqual([1, first]);
      expect(rows.some(([id]) => id === 1000)).toBe(keepsAdded);
      await expectNothingLeft();
    },
  );

  it('F17: live, beside an application that has the database open, in one transaction', async () => {
    const from = await exported('jsonl', { tables: ['tags'] });
    change();
    const application = new Database(bench.path('app.db'));
    application.prepare('SELECT count(*) FROM tags').get();
    const params = { into: 'tables', sourceId: 'app', from, mode: 'replace', live: true };
    const result = await run(params);
    expect(result).toMatchObject({ inserted: 30, live: true, quarantineId: null });
    expect(result.preRestoreSnapshotId).not.toBeNull();
    expect(application.prepare('SELECT count(*) FROM tags').pluck().get()).toBe(30);
    application.close();
    await expect(run({ ...params, dryRun: true })).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
    });
  });

  it.each([false, true])(
    'F17: line n is named, and nothing at all is imported (live: %s)',
    async (live) => {
      const from = await exported('jsonl', { tables: ['tags'] });
      change();
      const lines = readFileSync(from, 'utf8').split('\n');
      lines[7] = '[1, oops';
      await writeFile(from, lines.join('\n'));
      const before = tags();
      const params = {
        into: 'tables',
        sourceId: 'app',
        from,
        mode: 'replace',
        live,
        checkpoint: false,
      };
      await expect(run(params)).rejects.toThrow(/line 8/);
      expect(tags()).toEqual(before);
      await expectNothingLeft();
    },
  );

  it('C-D2: a write between the copy and the swap refuses the import: it would be lost', async () => {
    const from = await exported('jsonl', { tables: ['tags'] });
    const progress: Activity['progress'] = ({ phase }) => {
      if (phase !== 'import rows') return;
      query(bench.path('app.db'), (database) =>
        database.exec("INSERT INTO tags VALUES (7777, 1, 'late')"),
      );
    };
    const params = { into: 'tables', sourceId: 'app', from, mode: 'replace' };
    await expect(run(params, { progress })).rejects.toMatchObject({ code: 'TARGET_BUSY' });
    expect((tags() as [number][]).some(([id]) => id === 7777)).toBe(true);
  });

  it('an application that is stopped for it may write until it has stopped: nothing of that is lost', async () => {
    const from = await exported('jsonl', { tables: ['tags'] });
    change();
    const database = bench.path('app.db');
    const service = {
      stop: ['sqlite3', database, "INSERT INTO tags VALUES (8888, 1, 'last words')"],
      start: 'true',
      ...{ status: null, afterRestore: null, timeoutMs: 10_000 },
    };
    const params = { into: 'tables', sourceId: 'app', from, mode: 'upsert' };
    expect(await run(params, {}, { service })).toMatchObject({ inserted: 10 });
    const rows = tags() as [number, string][];
    expect(rows[0]).toEqual([1, 'tag 1']);
    expect(rows.at(-1)).toEqual([8888, 'last words']);
    await expectNothingLeft();
  });

  it('T-33: columns that the table does not have are left out with a warning, or refused', async () => {
    const from = join(out, 'plain.jsonl');
    await writeFile(from, '{"id":5000,"note":1,"tag":"new","colour":"red"}\n\n{}\n');
    const params = { into: 'tables', sourceId: 'app', from, table: 'tags', mode: 'upsert' };
    await expect(run({ ...params, strict: true })).rejects.toThrow(/colour/);
    expect(await run(params)).toMatchObject({ inserted: 1, rowsRead: 1 });
    expect(warnings).toEqual(['tags has no colour: left out']);
    expect((tags() as [number, string][]).at(-1)).toEqual([5000, 'new']);
  });

  it('is refused for a database that is not there', async () => {
    const from = await exported('jsonl', { tables: ['tags'] });
    const params = { into: 'tables', sourceId: 'app', from, mode: 'upsert' };
    await expect(run({ ...params, database: 'data/none.db' })).rejects.toMatchObject({
      code: 'PATH_NOT_FOUND',
    });
    for (const database of ['../x.db', 'data/../../x.db', 'other/x.db']) {
      await expect(run({ ...params, database })).rejects.toMatchObject({
        code: expect.stringMatching(/PATH_UNSAFE|NOT_FOUND/),
      });
    }
  });
});

describe('an archive', () => {
  it.each(['tar', 'tar.gz', 'zip'] as const)(
    'F22: %s, brought back as a snapshot and restored in place, gives the same tree',
    async (format) => {
      const picture = await pictureOf(bench.data, { times: false });
      const contents = contentsOf(bench.path('app.db'));
      const from = await exported(format);
      await rm(bench.path('files'), { recursive: true });
      change();
      const imported = await run({ into: 'snapshot', sourceId: 'app', from, tags: ['back'] });
      expect(imported).toMatchObject({ good: true, format, entries: 5 });
      expect(imported.databases[0]).toMatchObject({
        path: 'data/app.db',
        check: { level: 'full' },
      });
      const { snapshotId: id } = imported;
      const reader = await openReader(bench.repository);
      expect(reader.listSnapshots().find((each) => each.id === id)).toMatchObject({
        ...{ origin: 'import', reason: `import of app.${format}`, tags: ['back'] },
      });
      const manifest = await reader.readManifest(id);
      expect(manifest.roots).toMatchObject([{ prefix: 'data', path: bench.data }]);
      reader.close();
      const target = { type: 'in-place' };
      const params = { snapshotId: id, target, replaceDatabases: true };
      await restore.run(context(), restore.params.parse(params));
      const now = await pictureOf(bench.data, { times: false });
      expect(Object.keys(now)).toEqual(Object.keys(picture));
      expect(contentsOf(bench.path('app.db'))).toEqual(contents);
      expect(statSync(bench.path('files/run.sh')).mode & 0o777).toBe(0o750);
      await expectNothingLeft();
    },
  );

  it('F22: an imported snapshot is never latest, never the last good one, and no mirror', async () => {
    const from = await exported('tar');
    const { snapshotId: id } = await run({ into: 'snapshot', sourceId: 'app', from });
    const reader = await openReader(bench.repository);
    expect(reader.resolveSnapshot('latest', 'app')).toBe(snapshotId);
    reader.close();
    const last = { snapshotIds: [snapshotId], force: false };
    await expect(deleteSnapshots.run(context(), last)).rejects.toMatchObject({ code: 'IN_USE' });
    const target = { type: 'in-place' };
    const mirror = { snapshotId: id, target, mode: 'mirror', dryRun: true };
    await expect(restore.run(context(), restore.params.parse(mirror))).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
    });
    const known = await openReader(bench.repository);
    const databases = new SnapshotDatabases(known, bench.source, () => {});
    expect(databases.newestId).toBe(snapshotId);
    known.close();
    await deleteSnapshots.run(context(), { snapshotIds: [id], force: false });
  });

  it('F22: with a database and its log, as a crash left them, is read as SQLite reads them', async () => {
    const tree = join(bench.directory, 'crashed');
    await mkdir(tree);
    const live = new Database(bench.path('live.db'));
    live.pragma('journal_mode = WAL');
    live.pragma('wal_autocheckpoint = 0');
    live.exec('CREATE TABLE a (b); INSERT INTO a VALUES (42)');
    for (const suffix of ['', '-wal']) {
      await writeFile(join(tree, `app.db${suffix}`), readFileSync(bench.path(`live.db${suffix}`)));
    }
    live.close();
    const from = join(out, 'crashed.tar');
    execFileSync('tar', ['-C', tree, '-cf', from, 'app.db', 'app.db-wal']);
    const imported = await run({ into: 'snapshot', sourceId: 'app', from, under: 'data/crashed' });
    expect(imported).toMatchObject({ good: true, statistics: { databases: 1, files: 0 } });
    const to = join(out, 'crashed.db');
    const params = {
      snapshotId: imported.snapshotId,
      format: 'db',
      to: { type: 'file', path: to },
    };
    await exportOperation.run(context(), exportOperation.params.parse(params));
    query(to, (made) => expect(made.prepare('SELECT b FROM a').pluck().all()).toEqual([42]));
  });

  it('F22: of another tool goes below a path, whose directories stay as they are', async () => {
    const tree = join(bench.directory, 'foreign');
    await mkdir(join(tree, 'deep'), { recursive: true });
    await writeFile(join(tree, 'deep/x.txt'), 'x');
    const from = join(out, 'foreign.tgz');
    execFileSync('tar', ['-C', tree, '-czf', from, '.']);
    chmodSync(bench.data, 0o711);
    utimesSync(bench.data, 1_000_000_000, 1_000_000_000);
    const params = { into: 'snapshot', sourceId: 'app', from };
    await expect(run(params)).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
      hint: expect.stringContaining('--under data'),
    });
    const imported = await run({ ...params, under: 'data/files/new' });
    const restored = { snapshotId: imported.snapshotId, target: { type: 'in-place' } };
    await restore.run(context(), restore.params.parse(restored));
    expect(readFileSync(bench.path('files/new/deep/x.txt'), 'utf8')).toBe('x');
    expect(statSync(bench.data).mode & 0o777).toBe(0o711);
    expect(existsSync(bench.path('files/run.sh'))).toBe(true);
    for (const under of ['../x', 'data/../../x', '/data', 'other/x']) {
      await expect(run({ ...params, under })).rejects.toMatchObject({
        code: expect.stringMatching(/PATH_UNSAFE|INVALID_PARAMS/),
      });
    }
  });

  it('T-34: a hostile one is refused, and nothing of it is left', async () => {
    const from = join(out, 'evil.tar');
    const script =
      'import sys,tarfile,io\nt=tarfile.open(sys.argv[1],"w")\ni=tarfile.TarInfo("data/../../evil");i.size=1\nt.addfile(i,io.BytesIO(b"x"))';
    execFileSync('python3', ['-c', script, from]);
    await expect(run({ into: 'snapshot', sourceId: 'app', from })).rejects.toMatchObject({
      code: 'PATH_UNSAFE',
    });
    await expect(run({ into: 'place', from, to: join(out, 'x') })).rejects.toMatchObject({
      code: 'PATH_UNSAFE',
    });
    expect(existsSync(join(out, 'x'))).toBe(false);
    await expectNothingLeft();
  });
});

describe('a new place', () => {
  it.each(['db', 'sql', 'jsonl'] as const)('F22: a database of %s', async (format) => {
    const from = await exported(format);
    const to = join(out, 'new.sqlite');
    const result = await run({ into: 'place', from, to });
    expect(result).toMatchObject({ path: to, format });
    const { notes, tags: rows, settings } = contentsOf(bench.path('app.db'));
    const made = query(to, (database) => ({
      notes: database.prepare('SELECT * FROM notes NOT INDEXED ORDER BY id').all(),
      tags: database.prepare('SELECT * FROM tags ORDER BY id').all(),
      settings: database.prepare('SELECT * FROM settings ORDER BY key').all(),
    }));
    expect(made).toEqual({ notes, tags: rows, settings });
    await expect(run({ into: 'place', from, to })).rejects.toMatchObject({
      code: 'TARGET_NOT_EMPTY',
    });
    await expectNothingLeft();
  });

  it('F22: a directory of an archive', async () => {
    const from = await exported('tar');
    const to = join(out, 'tree');
    await run({ into: 'place', from, to });
    expect(contentsOf(join(to, 'data/app.db'))).toEqual(contentsOf(bench.path('app.db')));
    expect(readFileSync(join(to, 'data/files/link'), 'utf8')).toBe('echo');
    await expect(run({ into: 'place', from, to: bench.path('x') })).rejects.toMatchObject({
      code: 'PATH_UNSAFE',
    });
    await expectNothingLeft();
  });
});
