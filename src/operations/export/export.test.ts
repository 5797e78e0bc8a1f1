import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testSettings } from '../../config/testing/settings.ts';
import { pictureOf } from '../../files/testing/tree-picture.ts';
import { type Activity, quietActivity } from '../../kernel/activity.ts';
import { systemClock } from '../../kernel/clock.ts';
import {
  contentsOf,
  makeDatabase,
  query,
  Workbench,
  zeroPage,
} from '../../recovery/testing/workbench.ts';
import { backup } from '../backup.ts';
import { deleteSnapshots } from '../delete.ts';
import { prune } from '../prune.ts';
import { exportOperation } from './export.ts';

let bench: Workbench;
let out: string;
let snapshotId: string;
beforeEach(async () => {
  bench = await Workbench.create();
  out = join(bench.directory, 'out');
  await mkdir(out);
  await mkdir(join(bench.state, 'scratch'));
  makeDatabase(bench.path('app.db'), { journalMode: 'wal', rows: 50 });
  await mkdir(bench.path('files/empty'), { recursive: true });
  await writeFile(bench.path('files/run.sh'), 'echo', { mode: 0o750 });
  symlinkSync('run.sh', bench.path('files/link'));
  snapshotId = (await backup.run(context(), backup.params.parse({})))['snapshotId'] as string;
});
afterEach(() => bench.remove());

function context(activity: Partial<Activity> = {}) {
  const settings = testSettings(bench.directory, {
    stateDirectory: bench.state,
    repositoryDirectory: bench.repository,
    sources: [bench.source],
  });
  const scratchDirectory = join(bench.state, 'scratch');
  const whole = { ...quietActivity(), ...activity };
  return { activity: whole, settings, clock: systemClock, jobId: 'job-1', scratchDirectory };
}

function run(params: Record<string, unknown>, activity: Partial<Activity> = {}): Promise<any> {
  const { to, ...rest } = params;
  const target = typeof to === 'string' ? { type: 'file', path: to } : to;
  return exportOperation.run(
    context(activity),
    exportOperation.params.parse({ to: target, ...rest }),
  );
}

const sha256 = (path: string): string =>
  createHash('sha256').update(readFileSync(path)).digest('hex');

/** Nothing but what was asked for is there, nor anything of the work left. */
async function expectOnly(names: readonly string[]): Promise<void> {
  expect((await readdir(out)).sort()).toEqual([...names].sort());
  expect(await readdir(join(bench.state, 'scratch'))).toEqual([]);
  const staging = join(bench.state, 'staging');
  expect(existsSync(staging) ? await readdir(staging) : []).toEqual([]);
}

const python = (script: string, ...args: string[]): string =>
  execFileSync('python3', ['-c', script, ...args], { encoding: 'utf8' });

describe('one database', () => {
  it('F22, C-D5: as a file that needs no log, with the content of the snapshot and a hash that holds', async () => {
    const before = contentsOf(bench.path('app.db'));
    query(bench.path('app.db'), (database) => database.exec('DELETE FROM tags'));
    const to = join(out, 'app.db');
    const result = await run({ snapshotId, format: 'db', to });
    expect(result).toMatchObject({
      ...{ format: 'db', path: to, snapshotId, sourceId: 'app', database: 'data/app.db' },
      ...{ verified: true, sha256: sha256(to), bytes: statSync(to).size },
    });
    expect(statSync(to).mode & 0o777).toBe(0o600);
    const copy = new Database(to, { readonly: true });
    expect(copy.pragma('journal_mode', { simple: true })).toBe('delete');
    copy.close();
    await expectOnly(['app.db']);
    expect(contentsOf(to)).toEqual(before);
  });

  it('F22: as SQL text that was proven to make the same database, and that the ordinary shell runs', async () => {
    const to = join(out, 'app.sql');
    const result = await run({ snapshotId, format: 'sql', to });
    expect(result).toMatchObject({ verified: true, sha256: sha256(to) });
    expect(result.rows).toBeGreaterThan(150);
    await expectOnly(['app.sql']);
    const made = join(out, 'made.db');
    execFileSync('sqlite3', ['-bail', made], { input: readFileSync(to) });
    expect(contentsOf(made)).toEqual(contentsOf(bench.path('app.db')));
  });

  it('F17, T-19, T-20: as tables, chosen ones or all, with the rows of each told', async () => {
    const to = join(out, 'app.jsonl');
    const result = await run({ snapshotId, format: 'jsonl', tables: ['tags', 'notes'], to });
    expect(result.tableCounts).toEqual([
      { table: 'tags', rows: 50 },
      { table: 'notes', rows: 50 },
    ]);
    expect(JSON.parse(readFileSync(to, 'utf8').split('\n')[0]!)).toMatchObject({ $table: 'tags' });
    const all = await run({
      snapshotId,
      format: 'jsonl',
      verify: true,
      to: join(out, 'all.jsonl'),
    });
    expect(all).toMatchObject({ verified: true });
    expect(all.tables).toBeGreaterThanOrEqual(3);
    const plain = { snapshotId, format: 'jsonl', tables: ['tags'], plain: true };
    await run({ ...plain, to: join(out, 'plain.jsonl') });
    const [first] = readFileSync(join(out, 'plain.jsonl'), 'utf8').split('\n');
    expect(JSON.parse(first!)).toMatchObject({ tag: 'tag 1' });
    await expectOnly(['app.jsonl', 'all.jsonl', 'plain.jsonl']);
  });

  it('F17: fails, and leaves nothing, where a listed table is not there', async () => {
    const to = join(out, 'x.jsonl');
    await expect(run({ snapshotId, format: 'jsonl', tables: ['nowhere'], to })).rejects.toThrow(
      /nowhere/,
    );
    await expectOnly([]);
  });

  it('asks which one where there are several, and names them', async () => {
    makeDatabase(bench.path('other.db'), { rows: 1 });
    const params = { sourceId: 'app', format: 'db' };
    await expect(run({ ...params, to: join(out, 'x.db') })).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
      details: { databases: ['data/app.db', 'data/other.db'] },
    });
    const to = join(out, 'other.db');
    const taken = await run({ ...params, database: 'data/other.db', to });
    expect(taken.snapshotId).not.toBe(snapshotId);
    expect(taken.sourceId).toBe('app');
    const nowhere = { ...params, database: 'data/none.db', to: join(out, 'y.db') };
    await expect(run(nowhere)).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
    await expectOnly(['other.db']);
  });

  it('a damaged one leaves as it is, with a warning, and is not called verified', async () => {
    zeroPage(bench.path('app.db'), 3);
    const params = backup.params.parse({});
    const { snapshotId: damaged } = await backup.run(context(), params);
    const warnings: string[] = [];
    const warn = (message: string): void => void warnings.push(message);
    const to = join(out, 'bad.db');
    const result = await run({ snapshotId: damaged, format: 'db', to }, { warn });
    expect(result.verified).toBe(false);
    expect(warnings.join()).toContain('was damaged');
  });
});

describe('an archive', () => {
  it.each(['tar', 'tar.gz', 'zip'] as const)(
    'F22, T-15: %s holds every file by its logical path, with mode, time and links',
    async (format) => {
      const to = join(out, `all.${format}`);
      const result = await run({ snapshotId, format, to });
      expect(result).toMatchObject({ entries: 6, files: 1, databases: 1, verified: true });
      expect(result.sha256).toBe(sha256(to));
      await expectOnly([`all.${format}`]);
      const script =
        format === 'zip'
          ? 'import sys,zipfile; print("\\n".join(sorted(n.rstrip("/") for n in zipfile.ZipFile(sys.argv[1]).namelist())))'
          : 'import sys,tarfile; print("\\n".join(sorted(tarfile.open(sys.argv[1]).getnames())))';
      expect(python(script, to).trim().split('\n')).toEqual([
        ...['data', 'data/app.db', 'data/files', 'data/files/empty'],
        ...['data/files/link', 'data/files/run.sh'],
      ]);
    },
  );

  it('F22: of chosen paths holds them and the way to them; a path that is not there, or leads out, is refused', async () => {
    const to = join(out, 'part.tar');
    const names = 'import sys,tarfile; print("\\n".join(tarfile.open(sys.argv[1]).getnames()))';
    await run({ snapshotId, format: 'tar', paths: ['data/files/run.sh'], to });
    expect(python(names, to).trim().split('\n')).toEqual([
      'data',
      'data/files',
      'data/files/run.sh',
    ]);
    const refused = { snapshotId, format: 'tar', to: join(out, 'x.tar') };
    for (const [path, code] of [
      ['data/none', 'PATH_NOT_FOUND'],
      ['../etc', 'PATH_UNSAFE'],
      ['data/../../etc', 'PATH_UNSAFE'],
      ['/etc/passwd', 'PATH_UNSAFE'],
    ]) {
      await expect(run({ ...refused, paths: [path] })).rejects.toMatchObject({ code });
    }
    await expect(run({ ...refused, classes: ['config'] })).rejects.toMatchObject({
      code: 'PATH_NOT_FOUND',
    });
    await expectOnly(['part.tar']);
  });

  it('F22: keeps its snapshot while it is read: neither a removal nor a prune takes anything of it', async () => {
    await writeFile(bench.path('big'), randomBytes(4 * 1024 * 1024));
    const { snapshotId: big } = await backup.run(context(), backup.params.parse({}));
    const path = join(out, 's');
    const hash = createHash('sha256');
    let removal: unknown = null;
    let pruned: unknown = null;
    const server = createServer((socket) => {
      // Nothing is taken, so that the export stands still in the middle, until both have been tried.
      void (async () => {
        await once(socket, 'readable');
        const ids = { snapshotIds: [big as string], force: true };
        removal = await deleteSnapshots.run(context(), ids).catch((error: unknown) => error);
        pruned = await prune.run(context(), prune.params.parse({}));
        socket.on('data', (bytes) => hash.update(bytes));
      })();
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const to = { type: 'socket', path };
    const result = await run({ snapshotId: big, format: 'tar', to });
    server.close();
    expect(removal).toMatchObject({ code: 'IN_USE' });
    expect(pruned).not.toBeNull();
    expect(result.sha256).toBe(hash.digest('hex'));
  });
});

describe('the place of an export', () => {
  it('F22: is refused in a source, in the repository and where something stands; overwriting is asked for', async () => {
    const params = { snapshotId, format: 'tar' };
    for (const to of [
      bench.path('x.tar'),
      join(bench.repository, 'x.tar'),
      join(bench.state, 'x'),
    ]) {
      await expect(run({ ...params, to })).rejects.toMatchObject({ code: 'PATH_UNSAFE' });
    }
    symlinkSync(bench.data, join(out, 'way'));
    const hidden = join(out, 'way', 'x.tar');
    await expect(run({ ...params, to: hidden })).rejects.toMatchObject({ code: 'PATH_UNSAFE' });
    await expect(run({ ...params, to: join(out, 'no/x') })).rejects.toMatchObject({
      code: 'PATH_NOT_FOUND',
    });
    const to = join(out, 'x.tar');
    await writeFile(to, 'mine');
    await expect(run({ ...params, to })).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY' });
    expect(readFileSync(to, 'utf8')).toBe('mine');
    await run({ ...params, to, overwrite: true });
    expect(statSync(to).size).toBeGreaterThan(4096);
    for (const path of [out, join(out, 'way')]) {
      await expect(run({ ...params, to: path, overwrite: true })).rejects.toMatchObject({
        code: 'TARGET_NOT_EMPTY',
      });
    }
    await expectOnly(['way', 'x.tar']);
  });

  it('C-D1: is refused for a database beside a log that would be taken for its own', async () => {
    await writeFile(join(out, 'app.db-wal'), 'of another');
    const to = join(out, 'app.db');
    await expect(run({ snapshotId, format: 'db', to })).rejects.toMatchObject({
      code: 'TARGET_BUSY',
    });
  });

  it('C-D2: is refused where a database stands that another process has open', async () => {
    const to = join(out, 'used.db');
    makeDatabase(to, { rows: 1 });
    const script =
      'import sys,sqlite3; c=sqlite3.connect(sys.argv[1]); c.execute("select 1 from tags").fetchall(); print("open",flush=True); sys.stdin.read()';
    const holder = spawn('python3', ['-c', script, to], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    const params = { snapshotId, format: 'sql', to, overwrite: true };
    await expect(run(params)).rejects.toMatchObject({ code: 'TARGET_BUSY' });
    holder.stdin.end();
    await once(holder, 'exit');
    expect(await run(params)).toMatchObject({ path: to });
  });

  it('holds nothing after a cancel', async () => {
    const controller = new AbortController();
    const progress: Activity['progress'] = ({ currentFile }) => {
      if (currentFile?.startsWith('data/files') === true) controller.abort();
    };
    const { signal } = controller;
    const to = join(out, 'all.tar');
    await expect(run({ snapshotId, format: 'tar', to }, { signal, progress })).rejects.toThrow();
    await expectOnly([]);
  });

  it.each([
    ['tar', false],
    ['db', false],
    ['sql', true],
  ] as const)(
    'may be a socket on which somebody waits: %s (read back: %s)',
    async (format, verify) => {
      const path = join(out, 's');
      const server = createServer();
      const hash = createHash('sha256');
      await new Promise<void>((resolve) => server.listen(path, resolve));
      server.on('connection', (socket) => socket.on('data', (bytes) => hash.update(bytes)));
      const result = await run({ snapshotId, format, verify, to: { type: 'socket', path } });
      server.close();
      expect(result).toMatchObject({ path: null, sha256: hash.digest('hex') });
      expect(await readdir(join(bench.state, 'scratch'))).toEqual([]);
    },
  );

  it('a socket whose reader has seen enough ends the export as cancelled; without a reader nothing begins', async () => {
    await writeFile(bench.path('big'), Buffer.alloc(8 * 1024 * 1024, 7));
    const path = join(out, 's');
    const to = { type: 'socket', path };
    await expect(run({ snapshotId, format: 'tar', to })).rejects.toMatchObject({
      code: 'PATH_NOT_FOUND',
    });
    const server = createServer((socket) => socket.once('data', () => socket.destroy()));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    await expect(run({ sourceId: 'app', format: 'tar', to })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
    server.close();
  });
});

describe('a receiver that takes nothing', () => {
  it('does not keep a cancelled export waiting', async () => {
    await writeFile(bench.path('big'), randomBytes(8 * 1024 * 1024));
    const path = join(out, 's');
    const controller = new AbortController();
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('readable', () => controller.abort());
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const params = { sourceId: 'app', format: 'tar', to: { type: 'socket', path } };
    await expect(run(params, { signal: controller.signal })).rejects.toThrow();
    server.close();
    expect(await readdir(join(bench.state, 'scratch'))).toEqual([]);
  });
});

describe('any SQLite file', () => {
  it('C-D14, T-D15: is read with what its log holds, at one moment, and its directory stays as it is', async () => {
    const elsewhere = join(bench.directory, 'elsewhere');
    await mkdir(elsewhere);
    const file = join(elsewhere, 'live.db');
    const writer = new Database(file);
    writer.pragma('journal_mode = WAL');
    writer.exec('CREATE TABLE a (b); INSERT INTO a VALUES (1), (2)');
    const listing = readdirSync(elsewhere);
    // The index of the log notes who reads; it is no content.
    const contentOf = async () => ({
      ...(await pictureOf(elsewhere, { times: false })),
      './live.db-shm': null,
    });
    const before = await contentOf();
    for (const format of ['db', 'sql', 'jsonl'] as const) {
      const to = join(out, `live.${format}`);
      expect(await run({ file, format, to })).toMatchObject({ snapshotId: null, path: to });
    }
    expect(readdirSync(elsewhere)).toEqual(listing);
    expect(await contentOf()).toEqual(before);
    writer.close();
    const rows = query(join(out, 'live.db'), (database) =>
      database.prepare('SELECT count(*) FROM a').pluck().get(),
    );
    expect(rows).toBe(2);
    const closed = await pictureOf(elsewhere, { times: false });
    await run({ file, format: 'sql', to: join(out, 'closed.sql') });
    expect(await pictureOf(elsewhere, { times: false })).toEqual(closed);
  });

  it('what only its application can make again is told so, and may be written unproven', async () => {
    const file = join(bench.directory, 'collated.db');
    python(
      'import sys,sqlite3; c=sqlite3.connect(sys.argv[1]); c.create_collation("mine",lambda a,b:(a>b)-(a<b)); c.execute("create table t(a collate mine)"); c.execute("create index i on t(a)"); c.execute("insert into t values(1)"); c.commit()',
      file,
    );
    const to = join(out, 'x.sql');
    await expect(run({ file, format: 'sql', to })).rejects.toMatchObject({
      hint: expect.stringContaining('--no-verify'),
    });
    expect(await run({ file, format: 'sql', to, verify: false })).toMatchObject({ rows: 1 });
    const tables = await run({ file, format: 'jsonl', to: join(out, 'x.jsonl') });
    expect(tables).toMatchObject({ rows: 1, verified: true });
  });

  it('is refused with archives, snapshots, and where it is no database', async () => {
    const file = bench.path('app.db');
    const parse = (params: object) =>
      exportOperation.params.safeParse({ to: { type: 'file', path: '/x' }, ...params }).success;
    expect(parse({ file, format: 'db' })).toBe(true);
    expect(parse({ file, format: 'tar' })).toBe(false);
    expect(parse({ file, snapshotId, format: 'db' })).toBe(false);
    expect(parse({ format: 'db' })).toBe(false);
    expect(parse({ snapshotId, format: 'tar', database: 'data/app.db' })).toBe(false);
    expect(parse({ snapshotId, format: 'sql', tables: ['a'] })).toBe(false);
    const text = join(bench.directory, 'text');
    await writeFile(text, 'no database');
    await expect(run({ file: text, format: 'db', to: join(out, 'x.db') })).rejects.toMatchObject({
      code: 'SOURCE_CORRUPT',
    });
    await expectOnly([]);
  });
});
