import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type ArtifactManifest,
  sealManifest,
  sha256Of,
} from '../../artifacts/portable/manifest.ts';
import type { ArtifactSettings } from '../../config/artifact-settings.ts';
import type { Settings, SourceSettings } from '../../config/settings.ts';
import { testSettings } from '../../config/testing/settings.ts';
import { countSteps, dieAtStep } from '../../files/testing/dying-process.ts';
import { quietActivity } from '../../kernel/activity.ts';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { contentsOf, makeDatabase, query, Workbench } from '../../recovery/testing/workbench.ts';
import { SecretStore } from '../../state/secret-store.ts';
import { openReader } from '../../store/repository.ts';
import { finishInterruptedWork } from '../reconcile.ts';
import { artifact } from './artifact.ts';
import { bootstrap } from './bootstrap.ts';
import { publish } from './publish.ts';
import { artifactSettingsOf } from './subject.ts';

/** Where an artifact is made, and where it goes: two installations that share nothing but files. */
let here: Workbench;
let there: Workbench;
let out: string;
let warnings: string[];
let clock: Clock;
beforeEach(async () => {
  here = await Workbench.create();
  there = await Workbench.create();
  for (const bench of [here, there]) await mkdir(join(bench.state, 'scratch'));
  out = join(here.directory, 'app.snap');
  warnings = [];
  clock = systemClock;
  makeDatabase(here.path('app.db'), { journalMode: 'wal', rows: 50 });
  query(here.path('app.db'), (database) => {
    database.exec(
      "INSERT INTO settings VALUES ('cursor', '18446744073709551615'), ('step', '0007')",
    );
    database.pragma('user_version = 7');
    database.pragma('application_id = 99');
  });
});
afterEach(async () => {
  await here.remove();
  await there.remove();
});

const ASKED: Partial<ArtifactSettings> = {
  modelVersion: 1,
  schemaVersion: 7,
  cursorQuery: "SELECT value FROM settings WHERE key = 'cursor'",
  migrationVersionQuery: "SELECT value FROM settings WHERE key = 'step'",
};

interface World {
  readonly artifact?: Partial<ArtifactSettings>;
  readonly source?: Partial<SourceSettings>;
  readonly settings?: Partial<Settings>;
}

function contextOf(bench: Workbench, world: World = {}) {
  const database = artifactSettingsOf(undefined, 'data/app.db');
  const artifacts = [{ ...database, ...ASKED, ...world.artifact }];
  const settings = testSettings(bench.directory, {
    stateDirectory: bench.state,
    repositoryDirectory: bench.repository,
    sources: [{ ...bench.source, artifacts, ...world.source }],
    ...world.settings,
  });
  const activity = { ...quietActivity(), warn: (message: string) => void warnings.push(message) };
  const scratchDirectory = join(bench.state, 'scratch');
  return { activity, settings, clock, jobId: 'job', scratchDirectory };
}

async function perform(params: Record<string, unknown>, bench = here, world: World = {}) {
  const parsed = artifact.params.parse(params);
  try {
    return (await artifact.run(contextOf(bench, world), parsed)) as Record<string, any>;
  } finally {
    for (const name of readdirSync(join(bench.state, 'scratch'))) {
      await rm(join(bench.state, 'scratch', name), { recursive: true });
    }
  }
}

async function exported(params: Record<string, unknown> = {}, world: World = {}) {
  await here.snapshot(['app.db']);
  return perform({ action: 'export', snapshotId: 'latest', to: out, ...params }, here, world);
}

const importOut = (world: World = {}, params: Record<string, unknown> = {}) =>
  perform({ action: 'import', from: out, sourceId: 'app', ...params }, there, world);

/** What must be so wherever an import did not go through, or has ended. */
function nothingLeft(bench = there): void {
  expect(readdirSync(bench.data).filter((name) => name !== 'app.db')).toEqual([]);
  const staging = join(bench.state, 'staging');
  expect(existsSync(staging) ? readdirSync(staging) : []).toEqual([]);
}

const manifestOf = async (): Promise<ArtifactManifest> =>
  JSON.parse(await readFile(`${out}.manifest.json`, 'utf8'));

/** A payload with a manifest that says the truth of it, whatever it is. */
async function sealedOver(payload: Buffer, changes: Partial<ArtifactManifest>): Promise<void> {
  const { digest: _digest, signature: _signature, ...facts } = await manifestOf();
  const own = { checksum: sha256Of(payload), bytes: payload.length };
  await writeFile(out, payload);
  await writeFile(
    `${out}.manifest.json`,
    sealManifest({ ...facts, ...own, ...changes }, null).text,
  );
}

async function withoutSearch(): Promise<void> {
  query(here.path('app.db'), (database) => database.exec('DROP TABLE search'));
}

const rowsOf = (path: string): unknown =>
  query(path, (database) =>
    ['notes', 'tags', 'settings'].map((table) => database.prepare(`SELECT * FROM ${table}`).all()),
  );

describe('an artifact', () => {
  for (const payloadFormat of ['sqlite-file', 'sqldump', 'jsonl-tables'] as const) {
    it(`C-01, C-09, C-12, C-14, C-21, F18: goes out as ${payloadFormat} and comes back whole, with cursor and versions, and leaves nothing beside it`, async () => {
      // Rows alone carry no full-text index: see below.
      if (payloadFormat === 'jsonl-tables') await withoutSearch();
      const before = rowsOf(here.path('app.db'));
      const { manifest } = await exported({ payloadFormat });
      expect(manifest).toMatchObject({
        kind: 'sqlite.database',
        payloadFormat,
        modelVersion: 1,
        schemaVersion: 7,
        cursor: '18446744073709551615',
        migrationVersion: '0007',
        source: { id: 'app', name: 'app' },
        database: 'data/app.db',
        bytes: readFileSync(out).length,
        checksum: sha256Of(readFileSync(out)),
        pragmas: { userVersion: 7, applicationId: 99, encoding: 'UTF-8' },
      });
      expect(manifest.snapshotId).toMatch(/^[0-9a-f]{64}$/);
      expect(await manifestOf()).toEqual(manifest);
      expect(await perform({ action: 'verify', from: out, sourceId: 'app' }, there)).toMatchObject({
        ok: true,
      });
      const result = await importOut();
      expect(result).toMatchObject({ database: 'data/app.db', preRestoreSnapshotId: null });
      expect(rowsOf(there.path('app.db'))).toEqual(before);
      expect(
        query(there.path('app.db'), (database) => [
          database.pragma('user_version', { simple: true }),
          database.pragma('application_id', { simple: true }),
          database.pragma('integrity_check', { simple: true }),
        ]),
      ).toEqual([7, 99, 'ok']);
      nothingLeft();
      expect(warnings).toEqual([]);
    });
  }

  it('C-D3, C-D5: of a payload that would not give the same database again is never made', async () => {
    const lossy = exported({ payloadFormat: 'jsonl-tables' });
    await expect(lossy).rejects.toMatchObject({
      code: 'VERIFY_FAILED',
      details: { differences: expect.arrayContaining([expect.stringContaining('search')]) },
    });
    expect(existsSync(out)).toBe(false);
    expect(existsSync(`${out}.manifest.json`)).toBe(false);
  });

  it('C-10, C-D14: of any file is as of one moment, also where a crash has left a log, and changes nothing of it', async () => {
    const path = here.path('app.db');
    const writer = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `
      import Database from 'better-sqlite3';
      const database = new Database(${JSON.stringify(path)});
      database.exec("INSERT INTO notes VALUES (9999, 'in the log', '', 'x')");
      process.kill(process.pid, 'SIGKILL');
    `,
      ],
      { cwd: process.cwd() },
    );
    await once(writer, 'exit');
    const names = here.names();
    expect(names).toContain('app.db-wal');
    // Whoever reads marks where it reads, in the index of the log alone.
    const members = names.filter((name) => !name.endsWith('-shm'));
    const bytes = members.map((name) => sha256Of(readFileSync(here.path(name))));
    await perform({ action: 'export', file: path, to: out });
    expect(here.names()).toEqual(names);
    expect(members.map((name) => sha256Of(readFileSync(here.path(name))))).toEqual(bytes);
    expect((await manifestOf()).tables).toContainEqual({ name: 'notes', rows: 51 });
    expect(readFileSync(out).subarray(18, 20)).toEqual(Buffer.from([1, 1]));
  });

  it('C-17, F18: is written where nothing stands, unless it may overwrite, and never half', async () => {
    await exported();
    const again = { action: 'export', snapshotId: 'latest', to: out };
    await expect(perform(again)).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY' });
    await perform({ ...again, overwrite: true, payloadFormat: 'sqldump' });
    expect((await manifestOf()).payloadFormat).toBe('sqldump');
    const inside = join(here.repository, 'x.snap');
    await expect(perform({ ...again, to: inside })).rejects.toMatchObject({ code: 'PATH_UNSAFE' });
    const nowhere = join(here.directory, 'no/x.snap');
    await expect(perform({ ...again, to: nowhere })).rejects.toMatchObject({
      code: 'PATH_NOT_FOUND',
    });
    const steps = await countSteps(() => perform({ ...again, overwrite: true }));
    for (let n = 1; n <= steps; n += 1) {
      await dieAtStep(n, 'after', () => perform({ ...again, overwrite: true }));
      if (!existsSync(`${out}.manifest.json`)) continue;
      await perform({ action: 'verify', from: out });
    }
  });
});

describe('an import', () => {
  it('C-21, C-04, C-07: of a payload or a manifest that was tampered with is refused, and the target stays absent', async () => {
    await exported();
    const payload = await readFile(out);
    payload[payload.length - 5]! ^= 1;
    await writeFile(out, payload);
    await expect(importOut()).rejects.toMatchObject({ details: { gate: 'checksum' } });
    await appendFile(out, 'more');
    await expect(importOut()).rejects.toMatchObject({ details: { gate: 'checksum' } });
    const text = await readFile(`${out}.manifest.json`, 'utf8');
    await writeFile(`${out}.manifest.json`, text.replace('"cursor":"1', '"cursor":"0'));
    await expect(importOut()).rejects.toMatchObject({ details: { gate: 'manifest' } });
    expect(there.names()).toEqual([]);
    nothingLeft();
  });

  it('C-04, C-11, C-21: of another model version alone is refused; a newer schema too, unless forced', async () => {
    await exported();
    const bumped = importOut({ artifact: { modelVersion: 2 } });
    await expect(bumped).rejects.toMatchObject({
      code: 'VERIFY_FAILED',
      details: { gate: 'model' },
    });
    const older = { artifact: { schemaVersion: 6 } };
    await expect(importOut(older)).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW' });
    expect(there.names()).toEqual([]);
    await importOut(older, { force: true });
    expect(there.names()).toEqual(['app.db']);
  });

  it('C-03, C-08, C-13, C-21, C-D9, F18: leaves what is populated alone without force, and with it keeps a snapshot of the live bytes', async () => {
    await exported();
    makeDatabase(there.path('app.db'), { rows: 7 });
    const live = readFileSync(there.path('app.db'));
    await expect(importOut()).rejects.toMatchObject({ code: 'NOT_FRESH' });
    expect(readFileSync(there.path('app.db'))).toEqual(live);
    nothingLeft();
    const { preRestoreSnapshotId, quarantineId } = await importOut({}, { force: true });
    expect(contentsOf(there.path('app.db'))).toEqual(contentsOf(here.path('app.db')));
    expect(quarantineId).not.toBeNull();
    const reader = await openReader(there.repository);
    const kept = await reader.readManifest(preRestoreSnapshotId);
    expect(kept).toMatchObject({ origin: 'pre-restore' });
    const entry = await reader.findEntry(kept, 'data/app.db');
    if (entry.type !== 'database') throw new Error('no database');
    const pieces: Buffer[] = [];
    for await (const piece of reader.readContent(entry.content)) pieces.push(piece);
    expect(Buffer.concat(pieces)).toEqual(live);
    reader.close();
  });

  it('C-D1: by force replaces the whole family: no log of the old database is left to be replayed into the new one', async () => {
    await exported();
    makeDatabase(there.path('app.db'), { rows: 7, journalMode: 'wal' });
    const writer = await holdOpen(
      there.path('app.db'),
      "INSERT INTO notes VALUES (8, 'mine', '', 'y')",
    );
    writer.kill('SIGKILL');
    await once(writer, 'exit');
    expect(there.names()).toContain('app.db-wal');
    await importOut({}, { force: true });
    expect(there.names()).toEqual(['app.db']);
    expect(contentsOf(there.path('app.db'))).toEqual(contentsOf(here.path('app.db')));
  });

  it('C-D1, C-D8: a log beside a file that is missing is not fresh; what cannot be looked at is an error', async () => {
    await exported();
    writeFileSync(there.path('app.db-wal'), 'pages that nobody has read');
    await expect(importOut()).rejects.toMatchObject({ code: 'NOT_FRESH' });
    expect(there.names()).toEqual(['app.db-wal']);
    mkdirSync(there.path('dir.db'));
    const world = { artifact: { database: 'data/dir.db' } };
    await expect(importOut(world)).rejects.toMatchObject({ code: 'PATH_UNSAFE' });
    const below = { artifact: { database: 'data/app.db-wal/app.db' } };
    await expect(importOut(below)).rejects.toMatchObject({ code: 'NOT_A_DIRECTORY' });
  });

  it('C-D2: is refused while another process has the database open, also by force, and changes nothing', async () => {
    await exported();
    makeDatabase(there.path('app.db'), { rows: 7 });
    const application = await holdOpen(there.path('app.db'), 'SELECT 1');
    const live = readFileSync(there.path('app.db'));
    await expect(importOut({}, { force: true })).rejects.toMatchObject({ code: 'TARGET_BUSY' });
    expect(readFileSync(there.path('app.db'))).toEqual(live);
    application.kill('SIGKILL');
    await once(application, 'exit');
    await importOut({}, { force: true });
  });

  it('C-15, C-D10: that fails a sanity check leaves the target absent: tables, rows, assertions, integrity', async () => {
    await exported();
    const failing: World[] = [
      { artifact: { requiredTables: ['users'] } },
      { artifact: { minRows: { notes: 51 } } },
      { artifact: { cursorQuery: 'SELECT 1' } },
      {
        source: {
          assertions: [{ name: 'a', database: 'data/app.db', sql: 'SELECT 1', expect: 2 }],
        },
      },
    ];
    for (const world of failing) {
      await expect(importOut(world)).rejects.toMatchObject({ code: 'SANITY_FAILED' });
    }
    const torn = (await readFile(out)).subarray(0, 5 * 4096);
    await sealedOver(torn, {});
    await expect(importOut()).rejects.toMatchObject({ code: 'SANITY_FAILED' });
    await sealedOver(Buffer.from('no database at all'), {});
    await expect(importOut()).rejects.toMatchObject({ code: 'SANITY_FAILED' });
    expect(there.names()).toEqual([]);
    nothingLeft();
  });

  it('C-02: SQL runs in a new file alone: statements that reach anywhere else are refused, and rows are counted again', async () => {
    await exported({ payloadFormat: 'sqldump' });
    const sql = await readFile(out, 'utf8');
    const victim = join(there.directory, 'victim.db');
    makeDatabase(there.path('app.db'), { rows: 3 });
    const live = readFileSync(there.path('app.db'));
    for (const evil of [
      `ATTACH DATABASE '${victim}' AS v; CREATE TABLE v.x (a);`,
      `VACUUM INTO '${victim}';`,
      'DELETE FROM notes WHERE id = 1;',
    ]) {
      const at = sql.lastIndexOf('COMMIT');
      await sealedOver(Buffer.from(`${sql.slice(0, at)}${evil}\n${sql.slice(at)}`), {});
      await expect(importOut({}, { force: true }), evil).rejects.toThrow();
      await sealedOver(Buffer.from(`${sql}\n${evil}\n`), {});
      await expect(importOut({}, { force: true }), evil).rejects.toThrow();
    }
    expect(existsSync(victim)).toBe(false);
    expect(readFileSync(there.path('app.db'))).toEqual(live);
    nothingLeft();
  });

  it('C-16, C-D6, C-21: an older artifact is migrated on the staged copy; a step that fails leaves the target absent', async () => {
    query(here.path('app.db'), (database) => database.pragma('user_version = 1'));
    await exported();
    const directory = join(there.directory, 'steps');
    await mkdir(directory, { mode: 0o700 });
    const step = join(directory, '2.0.0_more.up.sql');
    await writeFile(join(directory, '1.0.0_base.up.sql'), 'SELECT 1;', { mode: 0o600 });
    await writeFile(step, 'CREATE TABLE more (a); INSERT INTO missing VALUES (1);', {
      mode: 0o600,
    });
    const world: World = {
      source: { migrations: [{ ...MIGRATION, directory }] },
      artifact: { schemaVersion: 2, requiredTables: ['more'] },
    };
    await expect(importOut(world)).rejects.toMatchObject({ code: 'MIGRATION_FAILED' });
    expect(there.names()).toEqual([]);
    nothingLeft();
    await writeFile(step, 'CREATE TABLE more (a);');
    await importOut(world);
    const version = (path: string) =>
      query(path, (database) => database.pragma('user_version', { simple: true }));
    expect(version(there.path('app.db'))).toBe(2);
    expect(rowsOf(there.path('app.db'))).toEqual(rowsOf(here.path('app.db')));
    // Newer than every step, whatever the settings expect.
    query(here.path('app.db'), (database) => database.pragma('user_version = 9'));
    await exported({ overwrite: true });
    await rm(there.path('app.db'));
    const open: World = { ...world, artifact: { schemaVersion: null } };
    await expect(importOut(open)).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW' });
    expect(there.names()).toEqual([]);
  });

  it('C-D11, C-14: killed at any step it leaves the place fresh, or whole, and after the next start nothing beside it', async () => {
    await exported();
    const wanted = contentsOf(here.path('app.db'));
    const steps = await countSteps(() => importOut());
    expect(contentsOf(there.path('app.db'))).toEqual(wanted);
    for (let n = 1; n <= steps; n += 1) {
      await rm(there.path('app.db'), { force: true });
      await dieAtStep(n, 'after', () => importOut());
      await finishInterruptedWork(contextOf(there));
      const names = there.names();
      expect(
        names.filter((name) => name !== 'app.db'),
        `step ${n}`,
      ).toEqual([]);
      if (names.length > 0) expect(contentsOf(there.path('app.db'))).toEqual(wanted);
      // A second try goes through where the first did not.
      else await importOut();
      expect(contentsOf(there.path('app.db')), `step ${n}`).toEqual(wanted);
    }
  });
});

const MIGRATION = {
  database: 'data/app.db',
  versionQuery: null,
  versionStatement: null,
  assumeVersion: null,
};

/** Another process that has the database open, after a statement. */
async function holdOpen(path: string, sql: string): Promise<ChildProcess> {
  const script = `
    import Database from 'better-sqlite3';
    const database = new Database(${JSON.stringify(path)});
    database.exec(${JSON.stringify(sql)});
    console.log('open');
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: process.cwd(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout!, 'data');
  return child;
}

describe('publishing', () => {
  const shared = () => ({
    settings: {
      artifacts: {
        ...testSettings(here.directory).artifacts,
        store: { type: 'file', path: join(here.directory, 'store') },
      },
    },
  });

  async function published(params: Record<string, unknown> = {}, world: World = {}) {
    const context = contextOf(here, {
      artifact: { alias: 'snapshots/latest' },
      ...shared(),
      ...world,
    });
    const parsed = publish.params.parse({ sourceId: 'app', ...params });
    const result = (await publish.run(context, parsed)) as Record<string, any>;
    for (const name of readdirSync(context.scratchDirectory)) {
      await rm(join(context.scratchDirectory, name), { recursive: true });
    }
    return result['artifacts'][0] as Record<string, any>;
  }

  const boot = async (artifactSettings: Partial<ArtifactSettings>, world: World = {}) => {
    const context = contextOf(there, { ...shared(), artifact: artifactSettings, ...world });
    const result = await bootstrap.run(context, { sourceId: 'app' });
    return (result['databases'] as Record<string, any>[])[0];
  };

  it('C-17, C-19, F19: takes a snapshot, gives a reference, moves the alias; the same content has the reference it had', async () => {
    const first = await published();
    expect(first).toMatchObject({ stored: 'stored', alias: 'snapshots/latest' });
    expect(first['ref']).toMatch(/^snapshots\/\d{8}-\d{6}-[0-9a-f]{12}\.snap$/);
    const again = await published({ keyPrefix: 'snapshots/' });
    expect(again).toMatchObject({ stored: 'present', ref: first['ref'] });
    query(here.path('app.db'), (database) => database.exec('DELETE FROM tags'));
    const second = await published();
    expect(second['ref']).not.toBe(first['ref']);
    const fetched = join(there.directory, 'fetched.snap');
    const world = { ...shared() };
    const result = await perform(
      { action: 'fetch', ref: 'snapshots/latest', to: fetched },
      there,
      world,
    );
    expect(result).toMatchObject({ ref: second['ref'] });
    expect(existsSync(`${fetched}.manifest.json`)).toBe(true);
    const elsewhere = await published({ keyPrefix: 'daily/', alias: null });
    expect(elsewhere['ref']).toMatch(/^daily\//);
    expect(elsewhere['alias']).toBeNull();
  });

  it('C-19: what has rotted in the store, or was signed with another key, is not sent out again: it is published anew', async () => {
    const first = await published();
    // The next reference is of another second.
    clock = { ...systemClock, nowMs: () => systemClock.nowMs() + 5_000 };
    const payload = join(here.directory, 'store', first['ref']);
    const bytes = await readFile(payload);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(payload, bytes);
    const second = await published();
    expect(second).toMatchObject({ stored: 'stored' });
    expect(second['ref']).not.toBe(first['ref']);
    expect(warnings).toEqual([expect.stringContaining(`${first['ref']} is not used again`)]);
    await boot({ bootstrapRef: 'snapshots/latest' });
    expect(contentsOf(there.path('app.db'))).toEqual(contentsOf(here.path('app.db')));
    clock = { ...systemClock, nowMs: () => systemClock.nowMs() + 10_000 };
    await new SecretStore(here.state).set('k', Buffer.from('hush'), 0);
    const { artifacts } = shared().settings;
    const signing = { ...artifacts, signWith: { hmacSecret: 'k', privateKeyPath: null } };
    const signed = await published({}, { settings: { artifacts: signing } });
    expect(signed).toMatchObject({ stored: 'stored', manifest: { signature: { key: 'k' } } });
    expect(await published({}, { settings: { artifacts: signing } })).toMatchObject({
      stored: 'present',
      ref: signed['ref'],
    });
  });

  it('C-18, C-20, F19: bootstraps what is missing from the newest one; leaves what is used, and what has no reference', async () => {
    const { ref } = await published();
    expect(await boot({})).toBeUndefined();
    expect(there.names()).toEqual([]);
    const bootstrapRef = 'snapshots/latest';
    expect(await boot({ bootstrapRef })).toMatchObject({ action: 'made', reason: ref });
    expect(contentsOf(there.path('app.db'))).toEqual(contentsOf(here.path('app.db')));
    query(there.path('app.db'), (database) => database.exec('DELETE FROM tags'));
    const own = contentsOf(there.path('app.db'));
    expect(await boot({ bootstrapRef })).toMatchObject({ action: 'skipped' });
    expect(contentsOf(there.path('app.db'))).toEqual(own);
  });

  it('C-18: fails loudly where it cannot: no such alias, a damaged artifact, one that does not fit', async () => {
    await expect(boot({ bootstrapRef: 'snapshots/latest' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    const { ref } = await published();
    const other = { bootstrapRef: ref, modelVersion: 2 };
    await expect(boot(other)).rejects.toMatchObject({ details: { gate: 'model' } });
    await appendFile(join(here.directory, 'store', ref), 'x');
    const failed = boot({ bootstrapRef: 'snapshots/latest' });
    await expect(failed).rejects.toThrow('Cannot bootstrap "data/app.db of app"');
    expect(there.names()).toEqual([]);
    nothingLeft();
  });

  it('C-03, C-18: a database that was lost is not made anew from an older artifact where there are snapshots of it', async () => {
    await published();
    makeDatabase(there.path('app.db'), { rows: 3 });
    await there.snapshot(['app.db']);
    await rm(there.path('app.db'));
    const found = await boot({ bootstrapRef: 'snapshots/latest' });
    expect(found).toMatchObject({ action: 'skipped', reason: 'there are snapshots of it' });
    expect(there.names()).toEqual([]);
  });

  it('C-18: makes the directories of a database that no application has made yet', async () => {
    await published();
    await rm(there.data, { recursive: true });
    const artifactSettings = { database: 'data/deep/er/app.db', bootstrapRef: 'snapshots/latest' };
    expect(await boot(artifactSettings)).toMatchObject({ action: 'made' });
    expect(there.names()).toEqual(['deep']);
  });

  it('C-18, F18: bootstraps from a file as well, with its manifest beside it', async () => {
    await exported();
    expect(await boot({ bootstrapPath: out })).toMatchObject({ action: 'made', reason: out });
    expect(there.names()).toEqual(['app.db']);
  });
});
